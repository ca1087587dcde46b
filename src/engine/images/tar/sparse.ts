/**
 * Sparse files in their four GNU forms (tar manual, "Storing Sparse Files"): where the pieces of data that
 * the archive holds lie in the file.
 */
import { blockSize, number, TarError } from './header.ts'
import { type PaxRecords, paxNumber } from './pax.ts'

export interface SparsePiece {
  offset: number
  size: number
}

const mostPieces = 100_000

/** The four pieces in an old GNU header, whether a block with more follows, and the file's whole size. */
export function oldGnuPieces(header: Buffer): { pieces: SparsePiece[]; more: boolean; realSize: number } {
  return {
    pieces: readPieces(header, 386, 4),
    more: header[482] !== 0,
    realSize: number(header, 483, 12, 'size'),
  }
}

/** A block that follows such a header. */
export function moreOldGnuPieces(block: Buffer): { pieces: SparsePiece[]; more: boolean } {
  return { pieces: readPieces(block, 0, 21), more: block[504] !== 0 }
}

function readPieces(block: Buffer, start: number, count: number): SparsePiece[] {
  const pieces: SparsePiece[] = []
  for (let at = start; at < start + count * 24 && block[at] !== 0; at += 24) {
    pieces.push({
      offset: number(block, at, 12, 'sparse map'),
      size: number(block, at + 12, 12, 'sparse map'),
    })
  }
  return pieces
}

/** The forms 0.0 and 0.1: "offset,size,offset,size". @throws TarError */
export function paxPieces(map: string): SparsePiece[] {
  return pairUp(map === '' ? [] : map.split(','))
}

/** True where the map stands before the data (form 1.0). */
export function hasMapInData(records: PaxRecords): boolean {
  return paxNumber(records, 'GNU.sparse.major') === 1 && paxNumber(records, 'GNU.sparse.minor') === 0
}

/**
 * The map at the beginning of the data: decimal numbers, one a line, the first of them the count of pieces,
 * padded to whole blocks.
 * @returns undefined where `data` does not hold all of it yet
 */
export function mapInData(data: Buffer): { pieces: SparsePiece[]; size: number } | undefined {
  const lines: string[] = []
  let at = 0
  for (let wanted = 1; lines.length < wanted; ) {
    const end = data.indexOf(0x0a, at)
    if (end < 0) {
      if (data.length > mostPieces * 24) throw new TarError('a sparse file with too many pieces')
      return undefined
    }
    lines.push(data.toString('latin1', at, Math.min(end, at + 20)))
    at = end + 1
    if (lines.length === 1) wanted = 1 + 2 * toNumber(lines[0]!)
    if (wanted > 2 * mostPieces) throw new TarError('a sparse file with too many pieces')
  }
  return { pieces: pairUp(lines.slice(1)), size: Math.ceil(at / blockSize) * blockSize }
}

function pairUp(numbers: string[]): SparsePiece[] {
  if (numbers.length % 2 !== 0) throw new TarError('a sparse map with an odd count of numbers')
  const pieces: SparsePiece[] = []
  for (let i = 0; i < numbers.length; i += 2) {
    pieces.push({ offset: toNumber(numbers[i]!), size: toNumber(numbers[i + 1]!) })
  }
  return pieces
}

function toNumber(text: string): number {
  const value = Number(text)
  if (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)) throw new TarError('a damaged sparse map')
  return value
}

/**
 * Checks that the pieces follow one another inside the file and hold exactly the archive's bytes.
 * @throws TarError
 */
export function checkPieces(pieces: SparsePiece[], realSize: number, dataSize: number): void {
  if (pieces.length > mostPieces) throw new TarError('a sparse file with too many pieces')
  let end = 0
  let sum = 0
  for (const { offset, size } of pieces) {
    if (offset < end || !Number.isSafeInteger(offset + size)) throw new TarError('a damaged sparse map')
    end = offset + size
    sum += size
  }
  if (end > realSize || sum !== dataSize) throw new TarError('a damaged sparse map')
}
