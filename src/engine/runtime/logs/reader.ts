/**
 * Reads a spool in the order in which the portions came, follows it while it grows, and cuts it into lines
 * with times where a caller wants those.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { errnoOf } from '../../../shared/errors.ts'
import { indexRecordSize } from '../../kernel/poll-protocol.ts'
import { decodeIndex, type IndexRecord, type SpoolPaths, type StreamName } from './spool.ts'

export interface Chunk {
  stream: StreamName
  timeNs: bigint
  data: Buffer
}

/** Tells a follower when to look again. */
export interface Growth {
  /** Resolves with true when there may be more, with false when there never will be. */
  next(signal?: AbortSignal): Promise<boolean>
}

export interface ReadOptions {
  /** Read from here instead of the beginning: what `position` of an earlier moment said. */
  from?: Position
  /** Stop there: what `endOf` said. */
  to?: Position
  /** Wait for more at the end. */
  growth?: Growth
  signal?: AbortSignal
}

/** A place in a log: where in the index, and where in each spool. */
export interface Position {
  index: number
  stdout: number
  stderr: number
}

export const beginning: Position = { index: 0, stdout: 0, stderr: 0 }
const largestRead = 1 << 20

/** All portions, oldest first. */
export async function* readChunks(paths: SpoolPaths, options: ReadOptions = {}): AsyncGenerator<Chunk> {
  await using files = new SpoolFiles(paths)
  const at = { ...(options.from ?? beginning) }
  for (;;) {
    let records = await files.readIndex(at, options.to)
    while (records.length > 0) {
      for (const record of records) yield* files.readPortion(record, at)
      records = await files.readIndex(at, options.to)
    }
    if (options.signal?.aborted || !(await options.growth?.next(options.signal))) break
  }
  // The end may have come with the last bytes.
  if (!options.growth || options.signal?.aborted) return
  for (const record of await files.readIndex(at)) yield* files.readPortion(record, at)
}

/** The end of a log, as a place to follow it from. */
export async function endOf(paths: SpoolPaths): Promise<Position> {
  await using files = new SpoolFiles(paths)
  const at = { ...beginning }
  for (let records = await files.readIndex(at); records.length > 0; records = await files.readIndex(at)) {
    for (const record of records) at[record.stream] = record.end
  }
  return at
}

/** The three files, opened when first needed, and closed together. */
class SpoolFiles {
  private readonly paths: SpoolPaths
  private readonly handles = new Map<keyof SpoolPaths, FileHandle>()
  private readonly indexBuffer = Buffer.alloc(indexRecordSize * 4096)

  constructor(paths: SpoolPaths) {
    this.paths = paths
  }

  /** The next whole records; advances `at.index`. */
  async readIndex(at: Position, to?: Position): Promise<IndexRecord[]> {
    const file = await this.handle('index')
    const size = Math.min(this.indexBuffer.length, to ? to.index - at.index : Infinity)
    if (!file || size <= 0) return []
    const { bytesRead } = await file.read(this.indexBuffer, 0, size, at.index)
    const records = decodeIndex(this.indexBuffer.subarray(0, bytesRead))
    at.index += records.length * indexRecordSize
    return records
  }

  /** The portion's bytes; advances `at` of its stream. */
  async *readPortion(record: IndexRecord, at: Position): AsyncGenerator<Chunk> {
    const file = await this.handle(record.stream)
    while (file && at[record.stream] < record.end) {
      const size = Math.min(record.end - at[record.stream], largestRead)
      const buffer = Buffer.allocUnsafe(size)
      const { bytesRead } = await file.read(buffer, 0, size, at[record.stream])
      if (bytesRead === 0) break
      at[record.stream] += bytesRead
      yield { stream: record.stream, timeNs: record.timeNs, data: buffer.subarray(0, bytesRead) }
    }
    at[record.stream] = record.end
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const handle of this.handles.values()) await handle.close()
  }

  private async handle(name: keyof SpoolPaths): Promise<FileHandle | undefined> {
    const known = this.handles.get(name)
    if (known) return known
    try {
      const handle = await open(this.paths[name], 'r')
      this.handles.set(name, handle)
      return handle
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
}

/** A line with its newline, or a piece of a very long one without. */
export type Line = Chunk

/** Longer lines come in pieces, as Docker's do. */
const longestLine = 16 * 1024

/** Cuts chunks into lines; a line has the time of its first byte. What has no newline at the end comes last. */
export async function* readLines<Mark = never>(
  chunks: AsyncIterable<Chunk | Mark>,
): AsyncGenerator<Line | Mark> {
  const open: Partial<Record<StreamName, Chunk>> = {}
  for await (const chunk of chunks) {
    if (!isChunk(chunk)) {
      yield chunk
      continue
    }
    const { stream, timeNs, data } = chunk
    let start = 0
    while (start < data.length) {
      const newline = data.indexOf(10, start)
      const rest = open[stream]
      const end = newline < 0 ? data.length : newline + 1
      const piece = data.subarray(start, end)
      start = end
      const line = rest
        ? { stream, timeNs: rest.timeNs, data: Buffer.concat([rest.data, piece]) }
        : { stream, timeNs, data: piece }
      open[stream] = undefined
      if (newline < 0 && line.data.length < longestLine) open[stream] = line
      else yield line
    }
  }
  for (const line of Object.values(open)) if (line) yield line
}

function isChunk<Mark>(value: Chunk | Mark): value is Chunk {
  return typeof value === 'object' && value !== null && 'data' in value
}
