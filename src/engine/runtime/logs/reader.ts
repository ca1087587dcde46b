/**
 * Reads a spool in the order in which the portions came, follows it while it grows, and cuts it into lines
 * with times where a caller wants those.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { errnoOf } from '../../../shared/errors.ts'
import { indexRecordSize } from '../../kernel/poll-protocol.ts'
import { decodeIndex, type IndexRecord, type SpoolPaths, type StreamName, streamNames } from './spool.ts'

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
  /** Read from here instead of the beginning: what `end` of an earlier moment said. */
  from?: Position
  /** Stop there: what `end` said. */
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

/** Opens a container's log. Whoever holds it reads it to its end, also when the container is removed meanwhile. */
export async function openLog(paths: SpoolPaths): Promise<Log> {
  const log = new Log()
  try {
    await log.open(paths)
    return log
  } catch (error) {
    await log[Symbol.asyncDispose]()
    throw error
  }
}

/** All portions of a log, oldest first. */
export async function* readChunks(paths: SpoolPaths, options: ReadOptions = {}): AsyncGenerator<Chunk> {
  await using log = await openLog(paths)
  yield* log.read(options)
}

/** The three files of one log, closed together. */
export class Log {
  private readonly handles: Partial<Record<keyof SpoolPaths, FileHandle>> = {}
  private readonly indexBuffer = Buffer.alloc(indexRecordSize * 4096)

  /** Once; see openLog. */
  async open(paths: SpoolPaths): Promise<void> {
    for (const name of ['index', ...streamNames] as const) {
      try {
        this.handles[name] = await open(paths[name], 'r')
      } catch (error) {
        // With a terminal there is no second stream.
        if (errnoOf(error) !== 'ENOENT') throw error
      }
    }
  }

  /** All portions, oldest first. */
  async *read(options: ReadOptions = {}): AsyncGenerator<Chunk> {
    const at = { ...(options.from ?? beginning) }
    do {
      yield* this.readAll(at, options.to)
    } while (!options.signal?.aborted && (await options.growth?.next(options.signal)))
    // The end may have come with the last bytes.
    if (options.growth && !options.signal?.aborted) yield* this.readAll(at, options.to)
  }

  private async *readAll(at: Position, to?: Position): AsyncGenerator<Chunk> {
    for (
      let records = await this.readIndex(at, to);
      records.length > 0;
      records = await this.readIndex(at, to)
    ) {
      for (const record of records) yield* this.readPortion(record, at)
    }
  }

  /** The end of what is there, as a place to follow it from. */
  async end(): Promise<Position> {
    const at = { ...beginning }
    for (let records = await this.readIndex(at); records.length > 0; records = await this.readIndex(at)) {
      for (const record of records) at[record.stream] = record.end
    }
    return at
  }

  /** The next whole records; advances `at.index`. */
  private async readIndex(at: Position, to?: Position): Promise<IndexRecord[]> {
    const file = this.handles.index
    const size = Math.min(this.indexBuffer.length, to ? to.index - at.index : Infinity)
    if (!file || size <= 0) return []
    const { bytesRead } = await file.read(this.indexBuffer, 0, size, at.index)
    const records = decodeIndex(this.indexBuffer.subarray(0, bytesRead))
    at.index += records.length * indexRecordSize
    return records
  }

  /** The portion's bytes; advances `at` of its stream. */
  private async *readPortion(record: IndexRecord, at: Position): AsyncGenerator<Chunk> {
    const file = this.handles[record.stream]
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
    for (const handle of Object.values(this.handles)) await handle.close()
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
