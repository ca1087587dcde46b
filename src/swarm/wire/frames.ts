/**
 * How messages lie in a stream: four bytes of length, big-endian, then that many bytes of UTF-8.
 */

/** A peer that showed a certificate may send this much at once; nobody legitimately sends more. */
export const largestFrame = 64 * 2 ** 20
/** One that showed none only asks for the root certificate or to join. */
export const largestStrangersFrame = 64 * 2 ** 10

export function encodeFrame(text: string): Buffer {
  const frame = Buffer.allocUnsafe(4 + Buffer.byteLength(text))
  frame.writeUInt32BE(frame.length - 4)
  frame.write(text, 4)
  return frame
}

/** Puts frames together from chunks as they come. */
export class FrameReader {
  readonly #limit: number
  #chunks: Buffer[] = []
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** @throws RangeError when a frame is announced that is larger than the limit */
  push(chunk: Buffer): string[] {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    const frames: string[] = []
    for (;;) {
      if (this.#length < 4) return frames
      const size = this.#peek(4).readUInt32BE()
      if (size > this.#limit) throw new RangeError(`a frame of ${size} bytes, more than ${this.#limit}`)
      if (this.#length < 4 + size) return frames
      frames.push(this.#peek(4 + size).toString('utf8', 4, 4 + size))
      this.#skip(4 + size)
    }
  }

  /** The first `count` bytes in one piece. Joins chunks only when they are all there. */
  #peek(count: number): Buffer {
    if (this.#chunks[0]!.length < count) this.#chunks = [Buffer.concat(this.#chunks)]
    return this.#chunks[0]!
  }

  #skip(count: number): void {
    this.#chunks[0] = this.#chunks[0]!.subarray(count)
    this.#length -= count
    if (this.#chunks[0].length === 0) this.#chunks.shift()
  }
}
