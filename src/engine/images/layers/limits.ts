/** How much a layer, or an archive of images, may unpack to: a bomb is refused before it fills the disk. */
import { formatBytes } from '../../../shared/units.ts'
import { RefusedEntry } from './names.ts'

export interface UnpackLimits {
  /** Entries of one tar. */
  entries: number
  /** Bytes that one tar's files may have, their holes included. */
  bytes: number
  /** How many times its packed size a tar may have ... */
  ratio: number
  /** ... once it has more than these bytes: a small file of zeros is no bomb. */
  ratioFromBytes: number
}

export const defaultLimits: UnpackLimits = {
  entries: 2_000_000,
  bytes: 128 * 2 ** 30,
  ratio: 200,
  ratioFromBytes: 4 * 2 ** 30,
}

/** Counts what one tar unpacks to. Each call throws RefusedEntry where that is too much. */
export class UnpackMeter {
  entries = 0
  /** Of files; hard links count once. */
  bytes = 0
  #limits: UnpackLimits

  constructor(limits: UnpackLimits) {
    this.#limits = limits
  }

  addEntry(size: number): void {
    this.entries++
    this.bytes += size
    if (this.entries > this.#limits.entries) {
      throw new RefusedEntry(`more than ${this.#limits.entries} entries in all`)
    }
    if (this.bytes > this.#limits.bytes) {
      throw new RefusedEntry(`more than ${formatBytes(this.#limits.bytes)} in all`)
    }
  }

  /** Compares what came out of the decompressor so far with what went in. */
  checkRatio(packed: number, unpacked: number): void {
    const { ratio, ratioFromBytes } = this.#limits
    if (unpacked > ratioFromBytes && unpacked > packed * ratio) {
      throw new RefusedEntry(`more than ${ratio} times its packed size`)
    }
  }
}
