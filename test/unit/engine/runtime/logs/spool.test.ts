import { appendFileSync, closeSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openLog, readChunks, readLines } from '../../../../../src/engine/runtime/logs/reader.ts'
import {
  createSpool,
  decodeIndex,
  encodeIndex,
  type OpenSpool,
  openSpool,
  type StreamName,
  spoolPaths,
} from '../../../../../src/engine/runtime/logs/spool.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-spool-'))
  createSpool(folder)
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const paths = () => spoolPaths(folder)
/** What the poll thread does with a portion: the bytes, then the record. */
function write(stream: StreamName, text: string, timeNs: bigint): void {
  writeBytes(stream, text)
  appendFileSync(paths().index, encodeIndex({ stream, timeNs, end: statSync(paths()[stream]).size }))
}
function writeBytes(stream: StreamName, text: string): void {
  appendFileSync(paths()[stream], text)
}
function close({ captures, indexFd }: OpenSpool): void {
  for (const { spoolFd } of captures) closeSync(spoolFd)
  closeSync(indexFd)
}
async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
const said = async () => (await collect(readChunks(paths()))).map((c) => [c.stream, c.data.toString()])

describe('a spool', () => {
  it('gives back both streams in the order in which they were written', async () => {
    write('stdout', 'one\n', 1n)
    write('stderr', 'oops\n', 2n)
    write('stdout', 'two\n', 3n)
    expect(await said()).toEqual([
      ['stdout', 'one\n'],
      ['stderr', 'oops\n'],
      ['stdout', 'two\n'],
    ])
  })

  it('that a killed daemon left behind its bytes is mended: a record for the tail, at the file’s time', async () => {
    write('stdout', 'known\n', 1n)
    writeBytes('stdout', 'consumed but not yet noted\n')
    const opened = openSpool(folder, { stdout: 0 })
    expect(opened.captures).toMatchObject([{ stream: 1, offset: 33 }])
    close(opened)
    expect(await said()).toEqual([
      ['stdout', 'known\n'],
      ['stdout', 'consumed but not yet noted\n'],
    ])
    const { mtimeNs } = statSync(paths().stdout, { bigint: true })
    expect(decodeIndex(readFileSync(paths().index)).at(-1)).toEqual({
      stream: 'stdout',
      end: 33,
      timeNs: mtimeNs,
    })
    // Once is enough.
    close(openSpool(folder, { stdout: 0 }))
    expect(await said()).toHaveLength(2)
  })

  it('loses half a record at the end of its index, and nothing else', async () => {
    write('stdout', 'whole\n', 1n)
    writeBytes('stdout', 'torn\n')
    appendFileSync(paths().index, encodeIndex({ stream: 'stdout', timeNs: 2n, end: 11 }).subarray(0, 13))
    close(openSpool(folder, { stdout: 0, stderr: 0 }))
    expect(await said()).toEqual([
      ['stdout', 'whole\n'],
      ['stdout', 'torn\n'],
    ])
    expect(statSync(paths().index).size).toBe(48)
  })
})

describe('a log', () => {
  it('that was open before it is removed is read to its end', async () => {
    await using log = await openLog(paths())
    write('stdout', 'last words\n', 1n)
    rmSync(folder, { recursive: true })
    expect((await collect(log.read())).map(({ data }) => data.toString())).toEqual(['last words\n'])
  })

  it('can be read from a place that was its end, and up to one', async () => {
    write('stdout', 'before\n', 1n)
    await using log = await openLog(paths())
    const end = await log.end()
    write('stderr', 'after\n', 2n)
    expect(await collect(log.read({ from: end }))).toMatchObject([{ stream: 'stderr' }])
    expect(await collect(log.read({ to: end }))).toMatchObject([{ stream: 'stdout' }])
  })

  it('is followed as it grows, until there is no more', async () => {
    const texts = ['a', 'b']
    const growth = {
      next: async () => {
        const text = texts.shift()
        // The last piece comes together with the end.
        write('stdout', text ?? 'end', 1n)
        return text !== undefined
      },
    }
    const chunks = await collect(readChunks(paths(), { growth }))
    expect(chunks.map(({ data }) => data.toString())).toEqual(['a', 'b', 'end'])
  })

  it('with more portions than fit one read of the index loses none', async () => {
    for (let i = 0; i < 9000; i++) write('stdout', `${i}\n`, BigInt(i))
    const lines = await collect(readLines(readChunks(paths())))
    expect(lines.map(({ data }) => data.toString())).toEqual(Array.from({ length: 9000 }, (_, i) => `${i}\n`))
  })
})

describe('the lines of a log', () => {
  const lines = async () =>
    (await collect(readLines(readChunks(paths())))).map((l) => [l.stream, l.timeNs, l.data.toString()])

  it('have the time of their first byte, whatever pieces they came in', async () => {
    write('stdout', 'first\nsec', 1n)
    write('stderr', 'between\n', 2n)
    write('stdout', 'ond\nthird', 3n)
    expect(await lines()).toEqual([
      ['stdout', 1n, 'first\n'],
      ['stderr', 2n, 'between\n'],
      ['stdout', 1n, 'second\n'],
      ['stdout', 3n, 'third'],
    ])
  })

  it('that never end come in pieces', async () => {
    write('stdout', 'x'.repeat(50_000), 1n)
    write('stdout', '\n', 2n)
    const pieces = await lines()
    expect(pieces.map(([, , text]) => text).join('')).toBe(`${'x'.repeat(50_000)}\n`)
  })
})
