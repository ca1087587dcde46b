import { closeSync, mkdtempSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { createExitRecord, exitRecord, readExitRecord } from '../../../../src/engine/runtime/exit-record.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsmachine-exit-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** What a keeper writes: CLD_EXITED is 1, CLD_KILLED 2, CLD_DUMPED 3. */
function keeperBytes(code: number, status: number): Buffer {
  const bytes = Buffer.alloc(exitRecord.size)
  bytes.writeUInt32LE(1, exitRecord.done)
  bytes.writeInt32LE(code, exitRecord.siginfo + 8)
  bytes.writeInt32LE(status, exitRecord.siginfo + 24)
  bytes.writeBigInt64LE(3n, exitRecord.rusage)
  bytes.writeBigInt64LE(250_000n, exitRecord.rusage + 8)
  bytes.writeBigInt64LE(0n, exitRecord.rusage + 16)
  bytes.writeBigInt64LE(1_500n, exitRecord.rusage + 24)
  bytes.writeBigInt64LE(2_048n, exitRecord.rusage + 32)
  bytes.writeBigInt64LE(1_700_000_000n, exitRecord.time)
  bytes.writeBigInt64LE(123_456_789n, exitRecord.time + 8)
  return bytes
}

function record(code: number, status: number): string {
  const path = join(folder, `${code}-${status}`)
  const fd = createExitRecord(path)
  writeSync(fd, keeperBytes(code, status), 0, exitRecord.size, exitRecord.fileOffset)
  closeSync(fd)
  return path
}

describe('an exit record', () => {
  it('has its room before the container has begun, and says nothing until it is written', () => {
    const path = join(folder, 'empty')
    closeSync(createExitRecord(path))
    expect(statSync(path).size).toBe(512)
    expect(readExitRecord(path)).toBeUndefined()
    expect(readExitRecord(join(folder, 'none'))).toBeUndefined()
  })

  it('tells the exit code, when it was, and what the program used', () => {
    expect(readExitRecord(record(1, 7))).toEqual({
      exitCode: 7,
      finishedAtNs: 1_700_000_000_123_456_789n,
      userUs: 3_250_000,
      systemUs: 1_500,
      maxRssBytes: 2 << 20,
    })
  })

  it('tells a death by signal, with a core or without, as 128 and the signal', () => {
    expect(readExitRecord(record(2, 9))).toMatchObject({ exitCode: 137, signal: 9 })
    expect(readExitRecord(record(3, 11))).toMatchObject({ exitCode: 139, signal: 11 })
  })

  it('of another version is not guessed at; what is no record is none', () => {
    const path = record(1, 0)
    const bytes = Buffer.alloc(512)
    writeFileSync(path, bytes)
    expect(readExitRecord(path)).toBeUndefined()
    bytes.writeUInt32LE(0x52585354, 0)
    bytes.writeUInt32LE(2, 4)
    writeFileSync(path, bytes)
    expect(() => readExitRecord(path)).toThrow('exit record of version 2')
  })
})
