/** Layers and archives come plain, gzipped or as zstd: told by their first bytes, never by their names. */
import { pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz'

const magics: [Compression, number[]][] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
]

/** How many bytes `detectCompression` needs to be sure. */
const magicSize = 6

export function detectCompression(head: Uint8Array): Compression {
  // A zstd stream may begin with a skippable frame: 0x184D2A5?, little-endian.
  const skippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18 && (head[0]! & 0xf0) === 0x50
  if (skippable) return 'zstd'
  return magics.find(([, magic]) => magic.every((byte, i) => head[i] === byte))?.[0] ?? 'none'
}

export interface Decompressed {
  compression: Compression
  /** Ends with an error where the input is damaged or cut off. */
  data: AsyncIterable<Buffer>
}

/**
 * The plain bytes of `source`. Many gzip members or zstd frames in a row are one stream.
 * bzip2 and xz are told but not unpacked: `data` is then the source itself.
 */
export async function decompress(source: AsyncIterable<Buffer>): Promise<Decompressed> {
  const iterator = source[Symbol.asyncIterator]()
  const head: Buffer[] = []
  for (let size = 0; size < magicSize; ) {
    const next = await iterator.next()
    if (next.done) break
    head.push(next.value)
    size += next.value.length
  }
  const compression = detectCompression(Buffer.concat(head))
  const whole = resume(head, iterator)
  if (compression !== 'gzip' && compression !== 'zstd') return { compression, data: whole }
  const unpacked = compression === 'gzip' ? createGunzip({ chunkSize }) : createZstdDecompress({ chunkSize })
  // The callback has nothing to do: an error of either end reaches whoever reads `unpacked`.
  pipeline(Readable.from(whole, { objectMode: false, highWaterMark: chunkSize }), unpacked, () => undefined)
  return { compression, data: unpacked }
}

const chunkSize = 256 * 1024

async function* resume(head: Buffer[], iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* head
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value
  } finally {
    await iterator.return?.()
  }
}
