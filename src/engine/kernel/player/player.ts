/**
 * The player: the machine code that plays a tape (see ../tape.ts). It has no stack frame, no branch but the
 * ones an entry asks for, and touches no memory but the tape. One listing an architecture, each instruction
 * beside its bytes; a test assembles the listing and compares.
 */

/** Where things lie in the image's address space. All below 2^32, so that 32 bits hold any address. */
export const codeAddress = 0x400000
/** The data: first the failure record, then `result`, then strings and structs, then the entries. */
export const dataAddress = 0x600000
/** {u32 address of the entry, u32 errno}: what the player writes to descriptor `reportFd` when it gives up. */
export const failureAddress = dataAddress
export const failureSize = 8
/** A scratch word for results that an entry checks. */
export const resultAddress = dataAddress + 8
/** The descriptor that failures go to. */
export const reportFd = 3

/** An entry of the tape, 80 bytes. */
export const entrySize = 80
export const entryOffset = {
  /** u32, the system call's number */
  number: 0,
  /** u16, an errno that is no failure, or 0 */
  toleratedErrno: 4,
  /** u16, how many entries to skip when that errno comes */
  skipOnErrno: 6,
  /** six u64 */
  args: 8,
  /** u16, how many entries to skip when the result is not zero */
  skipOnNonzero: 56,
  /** u32, the address where the result's low 32 bits go, or 0 */
  store: 60,
  /** u32, the address of a word to check after the call, or 0 */
  checkAddress: 64,
  /** u32 */
  checkMask: 68,
  /** u32: (word & mask) must equal it */
  checkValue: 72,
} as const

/** Given as errno when a check does not hold; no errno of the kernel's is that large. */
export const mismatchErrno = 4096

/** One line of a listing: a label, or an instruction with its bytes and its reason. */
export type Line = { label: string } | { bytes: string; code: string; why: string }

/** The listing's bytes. */
export function assemble(listing: Line[]): Buffer {
  return Buffer.from(
    listing.map((line) => ('bytes' in line ? line.bytes.replaceAll(' ', '') : '')).join(''),
    'hex',
  )
}

/** The listing as source text for the GNU assembler. */
export function sourceOf(listing: Line[]): string {
  return listing.map((line) => ('label' in line ? `${line.label}:` : `  ${line.code}`)).join('\n')
}
