/** Classic BPF as seccomp(2) takes it: instructions of eight bytes, jumps forward only, at most 255 far. */

export interface Instruction {
  code: number
  jt: number
  jf: number
  k: number
}

/** Offsets of struct seccomp_data (linux/seccomp.h), on little-endian machines. */
export const dataOffset = { number: 0, arch: 4, args: 16 } as const

const LD_W_ABS = 0x20
const ALU_AND_K = 0x54
const JMP_JA = 0x05
const JMP_JEQ_K = 0x15
const JMP_JGT_K = 0x25
const JMP_JGE_K = 0x35
const JMP_JSET_K = 0x45
const RET_K = 0x06

const make = (code: number, k: number, jt = 0, jf = 0): Instruction => ({ code, jt, jf, k: k >>> 0 })

/** accumulator = the 32-bit word at this offset of seccomp_data */
export const load = (offset: number) => make(LD_W_ABS, offset)
export const and = (mask: number) => make(ALU_AND_K, mask)
export const ret = (action: number) => make(RET_K, action)
export const jumpEq = (k: number, jt: number, jf: number) => make(JMP_JEQ_K, k, jt, jf)
export const jumpGt = (k: number, jt: number, jf: number) => make(JMP_JGT_K, k, jt, jf)
export const jumpGe = (k: number, jt: number, jf: number) => make(JMP_JGE_K, k, jt, jf)
export const jumpSet = (k: number, jt: number, jf: number) => make(JMP_JSET_K, k, jt, jf)

const jumps = { eq: jumpEq, ge: jumpGe, set: jumpSet }

/** `if (accumulator OP k) then else otherwise`; `otherwise` lies first, and a jump over it may be long. */
export function branch(
  op: keyof typeof jumps,
  k: number,
  then: Instruction[],
  otherwise: Instruction[],
): Instruction[] {
  if (otherwise.length <= 255) return [jumps[op](k, otherwise.length, 0), ...otherwise, ...then]
  return [jumps[op](k, 0, 1), make(JMP_JA, otherwise.length), ...otherwise, ...then]
}

/** The largest program the kernel takes (BPF_MAXINSNS). */
export const maxInstructions = 4096

/** The program as an array of struct sock_filter. */
export function encode(program: Instruction[]): Buffer {
  if (program.length > maxInstructions) {
    throw new RangeError(
      `the seccomp filter has ${program.length} instructions, the kernel takes ${maxInstructions}`,
    )
  }
  const bytes = Buffer.alloc(8 * program.length)
  for (const [i, { code, jt, jf, k }] of program.entries()) {
    bytes.writeUInt16LE(code, 8 * i)
    bytes.writeUInt8(jt, 8 * i + 2)
    bytes.writeUInt8(jf, 8 * i + 3)
    bytes.writeUInt32LE(k, 8 * i + 4)
  }
  return bytes
}
