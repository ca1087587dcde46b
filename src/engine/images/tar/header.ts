/**
 * One 512-byte header block of a tar: V7, ustar, PAX, star and GNU forms.
 *
 * tar-stream is not used for layers: it reads PAX values as UTF-8 text, which damages file capabilities
 * (security.capability is binary) and names in other encodings, and it knows no sparse files.
 */
import type { ByteString } from '../../kernel/filesystem.ts'

export const blockSize = 512

/** A tar that breaks the format's rules; whoever reads it knows which archive or layer it is. */
export class TarError extends Error {
  override readonly name = 'TarError'
}

export interface RawHeader {
  /** The type flag's character; NUL is given as "\0". */
  flag: string
  name: ByteString
  linkName: ByteString
  mode: number
  uid: number
  gid: number
  size: number
  /** Seconds since 1970. */
  mtime: number
  major: number
  minor: number
}

/** True for a block of zeros, which two in a row end an archive. */
export function isZeroBlock(block: Buffer): boolean {
  return block.equals(zeroBlock)
}

export const zeroBlock = Buffer.alloc(blockSize)

/** @throws TarError */
export function decodeHeader(block: Buffer): RawHeader {
  checkSum(block)
  const magic = block.toString('latin1', 257, 265)
  const isUstar = magic.startsWith('ustar\0')
  const isGnu = magic === 'ustar  \0'
  const isStar = isUstar && block.toString('latin1', 508, 512) === 'tar\0'
  const prefix = isUstar ? text(block, 345, isStar ? 131 : 155) : ''
  const name = text(block, 0, 100)
  return {
    flag: String.fromCharCode(block[156]!),
    name: prefix ? `${prefix}/${name}` : name,
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8, 'mode'),
    uid: number(block, 108, 8, 'uid'),
    gid: number(block, 116, 8, 'gid'),
    size: number(block, 124, 12, 'size'),
    mtime: number(block, 136, 12, 'mtime'),
    // V7 has no such fields, and some writers leave rubbish there.
    major: isUstar || isGnu ? number(block, 329, 8, 'device') : 0,
    minor: isUstar || isGnu ? number(block, 337, 8, 'device') : 0,
  }
}

/** Some old tars summed signed bytes; both sums are right, as in every other reader. */
function checkSum(block: Buffer): void {
  let unsigned = 0
  let signed = 0
  for (let i = 0; i < blockSize; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : block[i]!
    unsigned += byte
    signed += byte < 128 ? byte : byte - 256
  }
  const digits = /^[ \0]*([0-7]+)(?:[ \0]|$)/.exec(block.toString('latin1', 148, 156))?.[1]
  const expected = digits === undefined ? undefined : Number.parseInt(digits, 8)
  if (expected !== unsigned && expected !== signed) throw new TarError('a header with a wrong checksum')
}

function text(block: Buffer, offset: number, size: number): ByteString {
  const field = block.toString('latin1', offset, offset + size)
  const end = field.indexOf('\0')
  return end < 0 ? field : field.slice(0, end)
}

/**
 * Octal digits among blanks and NULs, or GNU's base 256 (first bit set; the second is the sign).
 * @throws TarError for anything else, and for a number that JavaScript can't hold exactly
 */
export function number(block: Buffer, offset: number, size: number, field: string): number {
  if (block[offset]! & 0x80) return base256(block.subarray(offset, offset + size), field)
  const digits = block
    .toString('latin1', offset, offset + size)
    .replace(/^[ \0]+/, '')
    .replace(/[ \0].*$/s, '')
  if (digits === '') return 0
  if (!/^[0-7]+$/.test(digits)) throw new TarError(`a header whose ${field} is no number`)
  return Number.parseInt(digits, 8)
}

function base256(field: Buffer, name: string): number {
  const negative = (field[0]! & 0x40) !== 0
  let value = BigInt(negative ? field[0]! | ~0xff : field[0]! & 0x7f)
  for (const byte of field.subarray(1)) value = (value << 8n) | BigInt(byte)
  const result = Number(value)
  if (!Number.isSafeInteger(result)) throw new TarError(`a header whose ${name} is out of range`)
  return result
}
