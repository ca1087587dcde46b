/**
 * Reads a tar as it streams in: chunks in, entries and their data out, nothing held but headers. It follows
 * Go's archive/tar where writers disagree, since that is what images are made and read with: a PAX record
 * wins over the header, a GNU long name over both, global headers mean nothing, and what is no file has no data.
 */
import type { ByteString } from '../../kernel/filesystem.ts'
import { blockSize, decodeHeader, isZeroBlock, type RawHeader, TarError } from './header.ts'
import { decodePax, type PaxRecords, paxAttributes, paxNumber, paxTime } from './pax.ts'
import {
  checkPieces,
  hasMapInData,
  mapInData,
  moreOldGnuPieces,
  oldGnuPieces,
  paxPieces,
  type SparsePiece,
} from './sparse.ts'

export type TarType = 'file' | 'link' | 'symlink' | 'char' | 'block' | 'folder' | 'fifo'

export interface TarEntry {
  type: TarType
  /** As the archive has it: it may be absolute, hold "..", or end with a slash. */
  name: ByteString
  /** Of links: what they point to. */
  linkName: ByteString
  /** Permission bits, setuid, setgid and sticky included. */
  mode: number
  uid: number
  gid: number
  /** Of the file when unpacked, its holes included; 0 for anything but files. */
  size: number
  mtimeNs: bigint
  major: number
  minor: number
  /** Extended attributes by name. */
  attributes: Map<ByteString, Buffer>
  isSparse: boolean
}

/** `data` is valid until the next event is asked for; `offset` is its place in the file. */
export type TarEvent =
  | { kind: 'entry'; entry: TarEntry }
  | { kind: 'data'; data: Buffer; offset: number }
  | { kind: 'end' }

const types: Record<string, TarType> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'char',
  '4': 'block',
  '5': 'folder',
  '6': 'fifo',
}

/** Names, link targets and extended headers longer than this are nobody's (Go's limit as well). */
const largestMeta = 1 << 20

type Body = { pieces: SparsePiece[]; left: number; padding: number }
type Meta = { flag: string; size: number }

export class TarReader {
  #rest: Buffer = Buffer.alloc(0)
  #state: 'header' | 'meta' | 'sparse-block' | 'sparse-map' | 'body' | 'padding' | 'ended' = 'header'
  #meta: Meta = { flag: '', size: 0 }
  #body: Body = { pieces: [], left: 0, padding: 0 }
  #pax: PaxRecords | undefined
  #longName: ByteString | undefined
  #longLink: ByteString | undefined
  /** An entry whose sparse map is not complete yet. */
  #entry: TarEntry | undefined
  #sawZeroBlock = false

  /**
   * To be called at the end of the input. An archive may lack its two final blocks, as with every other
   * reader; what counts is that it ends between two entries.
   * @throws TarError where it is cut off
   */
  finish(): void {
    const complete = this.#state === 'ended' || (this.#state === 'header' && this.#rest.length === 0)
    const hasMore = this.#pax || this.#longName !== undefined || this.#longLink !== undefined
    if (!complete || hasMore) throw new TarError('it ends in the middle')
  }

  /** Takes the next bytes of the archive, and gives what they complete. @throws TarError */
  *feed(chunk: Buffer): Generator<TarEvent> {
    let data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk
    for (;;) {
      const used = yield* this.#step(data)
      if (used === undefined) break
      data = data.subarray(used)
    }
    // What is kept must not be the caller's buffer, which may be used again.
    this.#rest = this.#state === 'ended' ? Buffer.alloc(0) : Buffer.from(data)
  }

  /** @returns how many bytes it took; undefined where it needs more of them than there are */
  *#step(data: Buffer): Generator<TarEvent, number | undefined> {
    switch (this.#state) {
      case 'header':
        if (data.length < blockSize) return undefined
        yield* this.#takeHeader(data.subarray(0, blockSize))
        return blockSize
      case 'meta': {
        const { size } = this.#meta
        if (data.length < padded(size)) return undefined
        this.#takeMeta(data.subarray(0, size))
        return padded(size)
      }
      case 'sparse-block': {
        if (data.length < blockSize) return undefined
        const { pieces, more } = moreOldGnuPieces(data.subarray(0, blockSize))
        this.#body.pieces.push(...pieces)
        if (!more) yield* this.#begin()
        return blockSize
      }
      case 'sparse-map': {
        const map = mapInData(data)
        if (!map || data.length < map.size) return undefined
        this.#body.pieces = map.pieces
        this.#body.left -= map.size
        yield* this.#begin()
        return map.size
      }
      case 'body':
        return yield* this.#takeData(data)
      case 'padding': {
        if (data.length < this.#body.padding) return undefined
        this.#state = 'header'
        return this.#body.padding
      }
      case 'ended':
        return undefined
    }
  }

  *#takeHeader(block: Buffer): Generator<TarEvent> {
    if (isZeroBlock(block)) {
      if (this.#sawZeroBlock) this.#state = 'ended'
      this.#sawZeroBlock = true
      return
    }
    if (this.#sawZeroBlock) throw new TarError('entries after the first of its two final blocks')
    const header = decodeHeader(block)
    if (header.size < 0) throw new TarError('a header whose size is negative')
    if ('xgLK'.includes(header.flag)) {
      if (header.size > largestMeta) throw new TarError('an extended header over 1 MiB')
      this.#meta = { flag: header.flag, size: header.size }
      this.#state = 'meta'
      if (header.size === 0) this.#takeMeta(Buffer.alloc(0))
      return
    }
    this.#entry = this.#toEntry(header)
    if (this.#entry.type !== 'file') {
      this.#body = { pieces: [], left: 0, padding: 0 }
      yield* this.#begin()
      return
    }
    yield* this.#beginFile(header, block)
  }

  *#beginFile(header: RawHeader, block: Buffer): Generator<TarEvent> {
    const entry = this.#entry!
    const pax = this.#takePax()
    const dataSize = paxNumber(pax, 'size') ?? header.size
    this.#body = { pieces: [{ offset: 0, size: dataSize }], left: dataSize, padding: paddingOf(dataSize) }
    entry.size = dataSize
    const map = pax.get('GNU.sparse.map')
    if (header.flag === 'S') {
      const { pieces, more, realSize } = oldGnuPieces(block)
      entry.isSparse = true
      entry.size = realSize
      this.#body.pieces = pieces
      if (more) {
        this.#state = 'sparse-block'
        return
      }
    } else if (hasMapInData(pax) || map !== undefined) {
      entry.isSparse = true
      entry.size = paxNumber(pax, 'GNU.sparse.realsize') ?? paxNumber(pax, 'GNU.sparse.size') ?? 0
      entry.name = pax.get('GNU.sparse.name') || entry.name
      if (map === undefined) {
        this.#state = 'sparse-map'
        return
      }
      this.#body.pieces = paxPieces(map)
    }
    yield* this.#begin()
  }

  #toEntry(header: RawHeader): TarEntry {
    const pax = this.#pax ?? new Map()
    const name = this.#longName ?? (pax.get('path') || header.name)
    const old = header.flag === '\0' && name.endsWith('/')
    const type = old ? 'folder' : types[header.flag]
    if (!type) throw new TarError(`an entry of the unknown type ${JSON.stringify(header.flag)}`)
    const entry: TarEntry = {
      type,
      name,
      linkName: this.#longLink ?? (pax.get('linkpath') || header.linkName),
      mode: header.mode & 0o7777,
      uid: paxNumber(pax, 'uid') ?? header.uid,
      gid: paxNumber(pax, 'gid') ?? header.gid,
      size: 0,
      mtimeNs: paxTime(pax, 'mtime') ?? BigInt(header.mtime) * 1_000_000_000n,
      major: header.major,
      minor: header.minor,
      attributes: paxAttributes(pax),
      isSparse: false,
    }
    this.#longName = undefined
    this.#longLink = undefined
    if (type !== 'file') this.#pax = undefined
    return entry
  }

  #takePax(): PaxRecords {
    const pax = this.#pax ?? new Map()
    this.#pax = undefined
    return pax
  }

  #takeMeta(content: Buffer): void {
    this.#state = 'header'
    if (this.#meta.flag === 'x') this.#pax = decodePax(content)
    else if (this.#meta.flag === 'L') this.#longName = untilNul(content)
    else if (this.#meta.flag === 'K') this.#longLink = untilNul(content)
  }

  /** The entry is known whole: its data comes next, if there is any. */
  *#begin(): Generator<TarEvent> {
    const entry = this.#entry!
    this.#entry = undefined
    const { pieces, left } = this.#body
    if (entry.isSparse) checkPieces(pieces, entry.size, left)
    this.#body.pieces = pieces.filter((piece) => piece.size > 0)
    yield { kind: 'entry', entry }
    if (this.#body.pieces.length > 0) this.#state = 'body'
    else yield this.#endBody()
  }

  #endBody(): TarEvent {
    this.#state = this.#body.padding > 0 ? 'padding' : 'header'
    return { kind: 'end' }
  }

  *#takeData(data: Buffer): Generator<TarEvent, number | undefined> {
    const { pieces } = this.#body
    const piece = pieces[0]!
    if (data.length === 0) return undefined
    const taken = data.subarray(0, Math.min(piece.size, data.length))
    yield { kind: 'data', data: taken, offset: piece.offset }
    piece.offset += taken.length
    piece.size -= taken.length
    if (piece.size === 0) pieces.shift()
    if (pieces.length === 0) yield this.#endBody()
    return taken.length
  }
}

function paddingOf(size: number): number {
  return padded(size) - size
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize
}

function untilNul(content: Buffer): ByteString {
  const text = content.toString('latin1')
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}
