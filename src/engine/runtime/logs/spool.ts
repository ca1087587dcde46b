/**
 * A container's output on disk: one append-only file a stream, holding exactly the bytes it wrote, and an
 * index that says when which portion came. docs/decisions/002 says why.
 *
 * The kernel moves bytes from the pipe to the file (splice), so the file's length is what has been consumed,
 * whenever the daemon dies. The index is written after the bytes; a tail that it misses is added, with the
 * file's time, by the daemon that comes next.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Capture } from '../../kernel/poll-protocol.ts'
import { indexRecordSize } from '../../kernel/poll-protocol.ts'

export type StreamName = 'stdout' | 'stderr'
export const streamNumber: Record<StreamName, number> = { stdout: 1, stderr: 2 }
export const streamNames: StreamName[] = ['stdout', 'stderr']

export interface SpoolPaths {
  stdout: string
  stderr: string
  index: string
}

export function spoolPaths(folder: string): SpoolPaths {
  return {
    stdout: join(folder, 'stdout.spool'),
    stderr: join(folder, 'stderr.spool'),
    index: join(folder, 'output.index'),
  }
}

/** A portion of one stream: it ends at `end` in the stream's spool and began where the one before ended. */
export interface IndexRecord {
  timeNs: bigint
  end: number
  stream: StreamName
}

/** Decodes the whole records of a piece of an index. */
export function decodeIndex(bytes: Buffer): IndexRecord[] {
  const records: IndexRecord[] = []
  for (let at = 0; at + indexRecordSize <= bytes.length; at += indexRecordSize) {
    records.push({
      timeNs: bytes.readBigUInt64LE(at),
      end: Number(bytes.readBigUInt64LE(at + 8)),
      stream: bytes.readUInt32LE(at + 16) === 2 ? 'stderr' : 'stdout',
    })
  }
  return records
}

export function encodeIndex(record: IndexRecord): Buffer {
  const bytes = Buffer.alloc(indexRecordSize)
  bytes.writeBigUInt64LE(record.timeNs, 0)
  bytes.writeBigUInt64LE(BigInt(record.end), 8)
  bytes.writeUInt32LE(streamNumber[record.stream], 16)
  return bytes
}

/** Makes an empty spool: readers hold its files from before the first run on. */
export function createSpool(folder: string): void {
  for (const path of Object.values(spoolPaths(folder))) {
    closeSync(openSync(path, constants.O_WRONLY | constants.O_CREAT, 0o640))
  }
}

export interface OpenSpool {
  captures: Capture[]
  indexFd: number
}

/**
 * Opens a container's spool for capturing, after mending what a killed daemon left: half an index record at
 * the end is cut off, and bytes that no record covers get one.
 * @param sources read ends by stream; with a terminal only stdout
 */
export function openSpool(
  folder: string,
  sources: Partial<Record<StreamName, number>>,
  terminal = false,
): OpenSpool {
  const paths = spoolPaths(folder)
  const indexFd = openSync(paths.index, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND, 0o640)
  const captures: Capture[] = []
  try {
    const covered = mendIndex(indexFd)
    for (const stream of streamNames) {
      const fd = sources[stream]
      if (fd === undefined) continue
      // Not in append mode: splice(2) refuses that.
      const spoolFd = openSync(paths[stream], constants.O_WRONLY | constants.O_CREAT, 0o640)
      const { size, mtimeNs } = fstatSync(spoolFd, { bigint: true })
      captures.push({ fd, spoolFd, offset: Number(size), stream: streamNumber[stream], terminal })
      if (Number(size) > covered[stream]) {
        writeSync(indexFd, encodeIndex({ timeNs: mtimeNs, end: Number(size), stream }))
      }
    }
    return { captures, indexFd }
  } catch (error) {
    closeSync(indexFd)
    for (const capture of captures) closeSync(capture.spoolFd)
    throw error
  }
}

/** How far the index covers each spool. */
function mendIndex(indexFd: number): Record<StreamName, number> {
  const covered = { stdout: 0, stderr: 0 }
  const { size } = fstatSync(indexFd)
  const whole = size - (size % indexRecordSize)
  // An append of 24 bytes is torn only by a full disk or a lost machine.
  if (whole !== size) ftruncateSync(indexFd, whole)
  const chunk = Buffer.alloc(indexRecordSize * 4096)
  for (let at = 0; at < whole; ) {
    const n = readSync(indexFd, chunk, 0, Math.min(chunk.length, whole - at), at)
    if (n <= 0) break
    for (const record of decodeIndex(chunk.subarray(0, n))) covered[record.stream] = record.end
    at += n
  }
  return covered
}
