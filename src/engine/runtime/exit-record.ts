/**
 * The exit record: a small file that exists, with its blocks, before the container does; the keeper fills it
 * in as its last act. So a full disk can't lose an exit code, and a daemon that was away reads what happened.
 */
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { errnoOf } from '../../shared/errors.ts'
import { CLD_DUMPED, CLD_EXITED, CLD_KILLED } from '../kernel/constants.ts'

/** {u32 magic, u32 version} and then what the keeper writes. */
const magic = 0x52585354 // "TSXR"
const version = 1
const fileSize = 512

/** Where the keeper's part begins in the file, and how it is laid out in the keeper's memory. */
export const exitRecord = {
  fileOffset: 8,
  /** u32: 1 once the record is written; first, u64-aligned. */
  done: 0,
  /** siginfo_t as waitid(2) fills it. */
  siginfo: 8,
  /** struct rusage. */
  rusage: 136,
  /** struct timespec, CLOCK_REALTIME. */
  time: 280,
  size: 296,
} as const

export interface ExitStatus {
  /** As Docker shows it: the exit code, or 128 + the signal's number. */
  exitCode: number
  /** The signal that ended it, or undefined. */
  signal?: number
  /** Nanoseconds since 1970. */
  finishedAtNs: bigint
  /** CPU time of the container's first process and the children it waited for. */
  userUs: number
  systemUs: number
  /** Largest resident set, bytes. */
  maxRssBytes: number
}

/** Makes the file and opens it for the keeper. The caller closes the descriptor once the keeper runs. */
export function createExitRecord(path: string): number {
  const fd = openSync(path, 'w', 0o600)
  try {
    const content = Buffer.alloc(fileSize)
    content.writeUInt32LE(magic, 0)
    content.writeUInt32LE(version, 4)
    writeSync(fd, content, 0, fileSize, 0)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

/** The status, or undefined while there is none (or no such file). @throws on a file of another version */
export function readExitRecord(path: string): ExitStatus | undefined {
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
  if (content.length < fileSize || content.readUInt32LE(0) !== magic) return undefined
  if (content.readUInt32LE(4) !== version)
    throw new Error(`${path}: exit record of version ${content.readUInt32LE(4)}`)
  return decodeExit(content.subarray(exitRecord.fileOffset))
}

/** Decodes what the keeper wrote. */
export function decodeExit(record: Buffer): ExitStatus | undefined {
  if (record.readUInt32LE(exitRecord.done) !== 1) return undefined
  const code = record.readInt32LE(exitRecord.siginfo + 8)
  const status = record.readInt32LE(exitRecord.siginfo + 24)
  const killed = code === CLD_KILLED || code === CLD_DUMPED
  const at = exitRecord.rusage
  const us = (offset: number) =>
    Number(record.readBigInt64LE(at + offset)) * 1e6 + Number(record.readBigInt64LE(at + offset + 8))
  return {
    exitCode: code === CLD_EXITED ? status : 128 + status,
    ...(killed ? { signal: status } : {}),
    finishedAtNs:
      record.readBigInt64LE(exitRecord.time) * 1_000_000_000n + record.readBigInt64LE(exitRecord.time + 8),
    userUs: us(0),
    systemUs: us(16),
    maxRssBytes: Number(record.readBigInt64LE(at + 32)) * 1024,
  }
}
