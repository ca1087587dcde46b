import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readJson } from '../../../../src/engine/api/body.ts'
import { DetachScanner, parseDetachKeys } from '../../../../src/engine/api/detach-keys.ts'
import { frame, streamType } from '../../../../src/engine/api/frames.ts'
import { splitVersion } from '../../../../src/engine/api/hijack.ts'
import { logOptions } from '../../../../src/engine/api/logs.ts'
import { filters, flag, integer, text, timeNs } from '../../../../src/engine/api/query.ts'
import { checkCreate, checkExec, wordList } from '../../../../src/engine/api/schemas/container.ts'
import { versionProblem } from '../../../../src/engine/api/versions.ts'

describe('a query', () => {
  it.each(['', '0', 'no', 'false', 'none', 'False', ' NO '])('takes %j for false', (value) => {
    expect(flag({ all: value }, 'all', true)).toBe(false)
  })

  it('takes everything else for true, and what is not there for the default', () => {
    expect([flag({ a: '1' }, 'a'), flag({ a: 'yes' }, 'a'), flag({}, 'a'), flag({}, 'a', true)]).toEqual([
      true,
      true,
      false,
      true,
    ])
  })

  it('counts the last value of a parameter that is there twice', () => {
    expect(text({ name: ['a', 'b'] }, 'name')).toBe('b')
  })

  it('reads whole numbers and refuses others by name', () => {
    expect([integer({ t: '-1' }, 't'), integer({ t: '' }, 't'), integer({}, 't')]).toEqual([
      -1,
      undefined,
      undefined,
    ])
    for (const t of ['1.5', 'x', '1e3', '0x10']) {
      expect(() => integer({ t }, 't')).toThrow(`invalid parameter t: ${t} is not a whole number`)
    }
  })

  it('reads times to the nanosecond, in seconds or as dates', () => {
    expect(timeNs({ since: '1700000000' }, 'since')).toBe(1_700_000_000_000_000_000n)
    expect(timeNs({ since: '1700000000.000000001' }, 'since')).toBe(1_700_000_000_000_000_001n)
    expect(timeNs({ since: '1700000000.5' }, 'since')).toBe(1_700_000_000_500_000_000n)
    expect(timeNs({ since: '2023-11-14T22:13:20Z' }, 'since')).toBe(1_700_000_000_000_000_000n)
    expect([timeNs({ since: '0' }, 'since'), timeNs({}, 'since')]).toEqual([undefined, undefined])
    expect(() => timeNs({ since: 'yesterday' }, 'since')).toThrow('yesterday is no time')
  })

  it('reads filters as Go and as others write them', () => {
    expect(filters({ filters: '{"label":{"a=1":true,"b":false},"name":["x","y"]}' })).toEqual({
      label: ['a=1'],
      name: ['x', 'y'],
    })
    expect(filters({})).toEqual({})
    for (const bad of ['{', '[]', '"x"', '{"a":1}', 'null'])
      expect(() => filters({ filters: bad })).toThrow('filters')
  })

  it('for logs needs a stream, and a number of lines', () => {
    expect(() => logOptions({})).toThrow('you must choose at least one stream')
    expect(logOptions({ stdout: '1', tail: 'all' })).toMatchObject({
      stdout: true,
      stderr: false,
      tail: undefined,
    })
    expect(logOptions({ stderr: '1', tail: '5' })).toMatchObject({ tail: 5 })
    expect(() => logOptions({ stdout: '1', tail: 'few' })).toThrow('invalid tail: few')
  })
})

describe('a version', () => {
  it('is cut from the path', () => {
    expect(splitVersion('/v1.43/containers/json?all=1')).toEqual({
      path: '/containers/json?all=1',
      version: '1.43',
    })
    expect(splitVersion('/containers/json')).toEqual({ path: '/containers/json' })
    expect(splitVersion('/v1.43')).toEqual({ path: '/', version: '1.43' })
    expect(splitVersion('/volumes/v1.43')).toEqual({ path: '/volumes/v1.43' })
  })

  it.each([
    ['1.24', undefined],
    ['1.51', undefined],
    [undefined, undefined],
    ['1.23', /too old/],
    ['1.9', /too old/],
    ['1.52', /too new/],
    ['1.100', /too new/],
    ['2.0', /too new/],
  ])('%s is served, or refused with the reason', (version, problem) => {
    const refused = versionProblem(version)
    if (problem) expect(refused?.message).toMatch(problem)
    else expect(refused).toBeUndefined()
  })
})

describe('a body', () => {
  const read = (body: string) => readJson(Readable.from([Buffer.from(body)]))

  it('is a JSON object, or nothing', async () => {
    expect(await read('{"a":1}')).toEqual({ a: 1 })
    expect([await read(''), await read('null'), await readJson(undefined)]).toEqual([{}, {}, {}])
    for (const bad of ['[', '[]', '1', '"x"']) await expect(read(bad)).rejects.toMatchObject({ http: 400 })
  })

  it('of more than four megabytes is refused before it is held', async () => {
    let sent = 0
    const endless = Readable.from(
      (function* () {
        for (;;) {
          sent++
          yield Buffer.alloc(1 << 20)
        }
      })(),
    )
    await expect(readJson(endless)).rejects.toThrow('more than 4194304 bytes')
    expect(sent).toBeLessThan(30)
  })

  it.each<[object, string]>([
    [{}, 'Image is missing'],
    [{ Image: 'x', Env: ['A=1', 2] }, 'Env.1 must be string'],
    [{ Image: 'x', HostConfig: { PidsLimit: 'many' } }, 'HostConfig.PidsLimit must be integer'],
    [{ Image: 'x', HostConfig: { Mounts: [{ Type: 'bind' }] } }, 'HostConfig.Mounts.0.Target is missing'],
    [{ Image: 'x', HostConfig: { OomScoreAdj: 2000 } }, 'HostConfig.OomScoreAdj must be <= 1000'],
  ])('of a create %j is refused: %s', (body, problem) => {
    expect(() => checkCreate(body)).toThrow(`invalid request body: ${problem}`)
  })

  it('may leave out or null whatever may be left out, and give a word for a list', () => {
    checkCreate({
      Image: 'x',
      Cmd: 'sh',
      HostConfig: { Binds: null, Mounts: null, Init: null },
      Labels: null,
    })
    checkExec({ Cmd: ['sh'], Tty: false })
    expect([wordList('sh'), wordList(['a', 'b']), wordList(null)]).toEqual([['sh'], ['a', 'b'], undefined])
  })
})

describe('detach keys', () => {
  it('are Docker’s, or what the user says', () => {
    expect([...parseDetachKeys(undefined)]).toEqual([16, 17])
    expect([...parseDetachKeys('ctrl-@,a,ctrl-],DEL')]).toEqual([0, 97, 29, 127])
    for (const keys of ['ctrl-', 'ab', 'ctrl-1'])
      expect(() => parseDetachKeys(keys)).toThrow(`invalid detach keys: ${keys}`)
  })

  it('are found in pieces, and what only began like them is passed on', () => {
    const scanner = new DetachScanner(parseDetachKeys(undefined))
    expect(scanner.scan(Buffer.from('ls\x10'))).toEqual({ pass: Buffer.from('ls'), detach: false })
    expect(scanner.scan(Buffer.from('x'))).toEqual({ pass: Buffer.from('\x10x'), detach: false })
    expect(scanner.scan(Buffer.from('\x10\x10'))).toEqual({ pass: Buffer.from('\x10'), detach: false })
    expect(scanner.scan(Buffer.from('\x11rest'))).toEqual({ pass: Buffer.alloc(0), detach: true })
  })
})

describe('a frame', () => {
  it('says its stream and its size', () => {
    expect(frame('stderr', Buffer.from('oops'))).toEqual(Buffer.from('\x02\0\0\0\0\0\0\x04oops', 'latin1'))
    expect(streamType(false, 1.41)).toBe('application/vnd.docker.raw-stream')
    expect(streamType(false, 1.42)).toBe('application/vnd.docker.multiplexed-stream')
    expect(streamType(true, 1.51)).toBe('application/vnd.docker.raw-stream')
  })
})
