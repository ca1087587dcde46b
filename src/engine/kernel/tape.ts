/**
 * The tape: a list of raw system calls that a container's first process plays between its birth and its
 * `execve` (docs/decisions/001). It is worked out beforehand, here; the player (player/*.ts) only makes one
 * call after the other. What an entry can do, and no more:
 *
 * - store its result at an address of the tape;
 * - demand that a word of the tape, masked, has a value after the call;
 * - tolerate one errno, and then skip entries;
 * - skip entries when its result is not zero (that is how a clone's parent leaves the child's part out).
 *
 * Descriptors need no variables: a process that starts with known descriptors gets the lowest free number, so
 * the builder counts them, and each entry that opens one demands the number that was counted.
 */
import type { Arch } from './arch.ts'
import { errnoName } from './errno.ts'
import { dataAddress, entryOffset, entrySize, mismatchErrno, resultAddress } from './player/player.ts'

/** Where a skip ends; placed later in the tape. */
export interface Label {
  index?: number
}

export interface EntryOptions {
  /** This errno is no failure; the tape goes on after it, at `to` if given. `mismatchErrno` for a failed check. */
  tolerate?: { errno: number; to?: Label }
  /** Where to go on when the result is not zero. */
  nonzeroTo?: Label
  /** Where the low 32 bits of the result go. */
  store?: number
  /** A word to compare after the call. */
  check?: { address: number; mask?: number; value: number }
}

interface Entry {
  what: string
  number: number
  args: (number | bigint)[]
  options: EntryOptions
}

export class Tape {
  readonly arch: Arch
  private readonly entries: Entry[] = []
  private data = Buffer.alloc(16384)
  private used = resultAddress - dataAddress + 8
  private readonly strings = new Map<string, number>()
  private open: Set<number>

  /** @param openFds the descriptors that the process starts with, or keeps after its first `close_range` */
  constructor(arch: Arch, openFds: number[]) {
    this.arch = arch
    this.open = new Set(openFds)
  }

  /** How many entries there are so far. */
  get length(): number {
    return this.entries.length
  }

  /**
   * Adds a call.
   * @param what the step's name, for the error text: "mount proc"
   * @throws RangeError where the architecture has no such call
   */
  call(what: string, name: string, args: (number | bigint)[] = [], options: EntryOptions = {}): void {
    const number = this.arch.numbers[name]
    if (number === undefined) throw new RangeError(`${this.arch.name} has no system call ${name}`)
    this.entries.push({ what, number, args, options })
  }

  /** Adds a call that opens a descriptor, and returns the number that it will have. */
  callFd(what: string, name: string, args: (number | bigint)[], options: EntryOptions = {}): number {
    const fd = this.takeFd()
    this.call(what, name, args, {
      ...options,
      store: resultAddress,
      check: { address: resultAddress, mask: 0xffffffff, value: fd },
    })
    return fd
  }

  /** Counts a descriptor that a call makes in passing (clone3's pidfd, a received one). */
  takeFd(): number {
    let fd = 0
    while (this.open.has(fd)) fd++
    this.open.add(fd)
    return fd
  }

  close(fd: number): void {
    this.call(`close descriptor ${fd}`, 'close', [fd])
    this.open.delete(fd)
  }

  /** Closes every descriptor from `first` to `last`. */
  closeRange(first: number, last = 0xffffffff): void {
    this.call(`close descriptors from ${first}`, 'close_range', [first, last, 0])
    for (const fd of this.open) if (fd >= first && fd <= last) this.open.delete(fd)
  }

  /** Makes `fd` another name of `from` (dup3). */
  dupTo(what: string, from: number, fd: number, flags = 0): void {
    this.call(what, 'dup3', [from, fd, flags])
    this.open.add(fd)
  }

  /** The descriptors that are open at this point, for the other side of a clone. */
  fds(): Set<number> {
    return new Set(this.open)
  }

  setFds(fds: Set<number>): void {
    this.open = new Set(fds)
  }

  label(): Label {
    return {}
  }

  /** The label stands for the next entry. */
  place(label: Label): void {
    label.index = this.entries.length
  }

  /** Goes on at `label`, always: getpid is never zero, not even in a new PID namespace. */
  jump(label: Label): void {
    this.call('go on', 'getpid', [], { nonzeroTo: label })
  }

  /** The address of a text with its closing zero; the same text has one address. */
  string(text: string): number {
    const known = this.strings.get(text)
    if (known !== undefined) return known
    const address = this.bytes(Buffer.from(`${text}\0`), 1)
    this.strings.set(text, address)
    return address
  }

  /** The address of an array of pointers to texts, ended by a null pointer: argv, envp. */
  stringArray(texts: readonly string[]): number {
    const pointers = Buffer.alloc(8 * (texts.length + 1))
    for (const [i, text] of texts.entries()) pointers.writeUInt32LE(this.string(text), 8 * i)
    return this.bytes(pointers)
  }

  /** Puts bytes on the tape and returns their address. */
  bytes(content: Buffer, align = 8): number {
    const start = (this.used + align - 1) & -align
    if (start + content.length > this.data.length) {
      const larger = Buffer.alloc(Math.max(this.data.length * 2, start + content.length + 4096))
      this.data.copy(larger)
      this.data = larger
    }
    content.copy(this.data, start)
    this.used = start + content.length
    return dataAddress + start
  }

  /** Room of `size` zero bytes. */
  reserve(size: number): number {
    return this.bytes(Buffer.alloc(size))
  }

  /** Writes a 64-bit value into data that is on the tape already. */
  patch(address: number, value: number | bigint): void {
    writeWord(this.data, address - dataAddress, value)
  }

  /** The data segment, and the address of its first entry. */
  finish(): { segment: Buffer; firstEntry: number } {
    const start = (this.used + 15) & -16
    const segment = Buffer.alloc(start + this.entries.length * entrySize)
    this.data.copy(segment, 0, 0, this.used)
    for (const [i, entry] of this.entries.entries()) this.encode(entry, i, segment, start + i * entrySize)
    return { segment, firstEntry: dataAddress + start }
  }

  /** What the player wrote to the report: the step that failed and why. */
  explain(report: Buffer): TapeFailure {
    const { firstEntry } = this.finish()
    const index = (report.readUInt32LE(0) - firstEntry) / entrySize
    const errno = report.readUInt32LE(4)
    return new TapeFailure(this.entries[index]?.what ?? `entry ${index}`, index, errno)
  }

  /** One line an entry, for tests and `--debug`. */
  describe(): string[] {
    return this.entries.map((e) => e.what)
  }

  private encode(entry: Entry, index: number, segment: Buffer, at: number): void {
    const { options } = entry
    segment.writeUInt32LE(entry.number, at + entryOffset.number)
    for (const [i, arg] of entry.args.entries()) writeWord(segment, at + entryOffset.args + 8 * i, arg)
    if (options.tolerate) {
      segment.writeUInt16LE(options.tolerate.errno, at + entryOffset.toleratedErrno)
      if (options.tolerate.to)
        segment.writeUInt16LE(skip(options.tolerate.to, index), at + entryOffset.skipOnErrno)
    }
    if (options.nonzeroTo)
      segment.writeUInt16LE(skip(options.nonzeroTo, index), at + entryOffset.skipOnNonzero)
    if (options.store) segment.writeUInt32LE(options.store, at + entryOffset.store)
    if (options.check) {
      segment.writeUInt32LE(options.check.address, at + entryOffset.checkAddress)
      segment.writeUInt32LE((options.check.mask ?? 0xffffffff) >>> 0, at + entryOffset.checkMask)
      segment.writeUInt32LE(options.check.value >>> 0, at + entryOffset.checkValue)
    }
  }
}

/** A tape's entry that failed: its name, its place and the kernel's errno. */
export class TapeFailure extends Error {
  override readonly name = 'TapeFailure'
  readonly what: string
  readonly index: number
  readonly errno: number
  /** ENOENT, ..., or MISMATCH for a check that did not hold. */
  readonly errnoName: string
  constructor(what: string, index: number, errno: number) {
    const name = errno === mismatchErrno ? 'MISMATCH' : errnoName(errno)
    super(`${what}: ${name}`)
    this.what = what
    this.index = index
    this.errno = errno
    this.errnoName = name
  }
}

function skip(label: Label, from: number): number {
  if (label.index === undefined || label.index <= from)
    throw new RangeError('a tape only goes forward: place the label later')
  return label.index - from - 1
}

/** 64 bits, lowest first; negative numbers as two's complement. */
function writeWord(buffer: Buffer, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    buffer.writeBigUInt64LE(BigInt.asUintN(64, value), at)
    return
  }
  buffer.writeUInt32LE(value >>> 0, at)
  buffer.writeUInt32LE(Math.floor(value / 0x100000000) >>> 0, at + 4)
}
