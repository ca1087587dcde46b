import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type VolumeEvent, VolumeStore } from '../../../../src/engine/volumes/store.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

let work: string
let store: VolumeStore
let events: VolumeEvent[]
let users: Map<string, string[]>
let logs: string[]

async function open(): Promise<VolumeStore> {
  return await VolumeStore.open({
    dataRoot: work,
    log: { warn: (_, message) => logs.push(message) },
    clock: new FakeClock(),
    emit: (event) => events.push(event),
    inUse: (name) => users.get(name) ?? [],
  })
}

beforeEach(async () => {
  work = mkdtempSync(join(tmpdir(), 'tsmachine-volumes-'))
  ;[events, users, logs] = [[], new Map(), []]
  store = await open()
})
afterEach(() => rmSync(work, { recursive: true }))

const actions = () => events.splice(0).map((event) => `${event.Action} ${event.Actor.ID}`.trim())

describe('a volume', () => {
  it('is made, shown, kept over a restart, and removed', async () => {
    const volume = await store.create({ Name: 'data', Labels: { a: 'b' } })
    expect(volume).toEqual({
      Name: 'data',
      Driver: 'local',
      Mountpoint: join(work, 'volumes/data/_data'),
      CreatedAt: '2026-01-01T00:00:00.000Z',
      Labels: { a: 'b' },
      Scope: 'local',
      Options: null,
    })
    expect(statSync(volume.Mountpoint).mode & 0o777).toBe(0o755)
    expect(await store.create({ Name: 'data', Labels: { c: 'd' } })).toEqual(volume)
    store = await open()
    expect(store.inspect('data')).toEqual(volume)
    await store.remove('data')
    expect(readdirSync(join(work, 'volumes'))).toEqual([])
    expect(actions()).toEqual(['create data', 'destroy data'])
  })

  it('without a name gets one, and is anonymous', async () => {
    const { Name, Labels } = await store.create({})
    expect(Name).toMatch(/^[0-9a-f]{64}$/)
    expect(Labels).toEqual({ 'com.docker.volume.anonymous': '' })
    await store.removeAnonymous(Name)
    expect(store.list().Volumes).toEqual([])
    await store.create({ Name: 'named' })
    await store.removeAnonymous('named')
    await store.removeAnonymous('gone')
    expect(store.list().Volumes).toHaveLength(1)
  })

  it('of one name is made once, however many ask at once', async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => store.ensure({ name: 'x1' })))
    expect(new Set(all.map((one) => one.path)).size).toBe(1)
    expect(actions()).toEqual(['create x1'])
  })

  it.each(['a', '.hidden', '-dash', 'a/b', '../up', 'a b', 'ü1', `x${'y'.repeat(255)}`])(
    'named %s is refused',
    async (Name) => {
      await expect(store.create({ Name })).rejects.toMatchObject({ code: 'E_VOLUME_NAME', http: 400 })
    },
  )

  it('of another driver or with options is refused', async () => {
    await expect(store.create({ Name: 'n1', Driver: 'nfs' })).rejects.toThrow('plugin "nfs" not found')
    const options = { type: 'tmpfs' }
    await expect(store.create({ Name: 'n1', DriverOpts: options })).rejects.toThrow(
      'does not support the option "type"',
    )
    expect(store.list().Volumes).toEqual([])
  })

  it('that is not there, or in use, is not removed', async () => {
    await expect(store.remove('nope')).rejects.toThrow(
      expect.objectContaining({ message: 'get nope: no such volume', http: 404 }),
    )
    await store.remove('nope', { force: true })
    await store.create({ Name: 'used' })
    users.set('used', ['c1', 'c2'])
    for (const force of [false, true]) {
      await expect(store.remove('used', { force })).rejects.toThrow(
        expect.objectContaining({ message: 'remove used: volume is in use - [c1, c2]', http: 409 }),
      )
    }
    await store.removeAnonymous('used')
    expect(existsSync(store.inspect('used').Mountpoint)).toBe(true)
  })

  it('is filled once, while it is empty', async () => {
    await store.create({ Name: 'data' })
    let fills = 0
    const fill = async (folder: string) => {
      fills++
      writeFileSync(join(folder, 'file'), 'x')
    }
    await Promise.all([store.populate('data', fill), store.populate('data', fill)])
    expect(fills).toBe(1)
    await expect(store.populate('nope', fill)).rejects.toMatchObject({ code: 'E_NO_SUCH_VOLUME' })
  })

  it('goes whatever its files are called', async () => {
    const { Mountpoint } = await store.create({ Name: 'data' })
    execFileSync(
      'sh',
      ['-c', "mkdir -p \"$(printf 'a\\377b')/c\"; touch \"$(printf 'a\\377b')/c/$(printf '\\200')\""],
      {
        cwd: Mountpoint,
      },
    )
    await store.remove('data')
    expect(readdirSync(join(work, 'volumes'))).toEqual([])
  })
})

describe('volumes', () => {
  beforeEach(async () => {
    await store.create({ Name: 'one', Labels: { tier: 'db' } })
    await store.create({ Name: 'two' })
    await store.create({ Name: 'anon', Labels: { 'com.docker.volume.anonymous': '' } })
    users.set('two', ['c'])
    events = []
  })

  it('are listed by filter', () => {
    const list = (filters: Record<string, string[]>) =>
      store.list(filters).Volumes.map((volume) => volume.Name)
    expect(list({})).toEqual(['anon', 'one', 'two'])
    expect(list({ dangling: ['true'] })).toEqual(['anon', 'one'])
    expect(list({ dangling: ['false'] })).toEqual(['two'])
    expect(list({ label: ['tier=db'] })).toEqual(['one'])
    expect(list({ name: ['o'], driver: ['local'] })).toEqual(['anon', 'one', 'two'])
    expect(list({ driver: ['other'] })).toEqual([])
    expect(() => list({ nonsense: [] })).toThrow("invalid filter 'nonsense'")
  })

  it('are pruned: the anonymous, all unused, never those in use', async () => {
    writeFileSync(join(store.inspect('anon').Mountpoint, 'f'), 'x'.repeat(10_000))
    const first = await store.prune()
    expect(first.VolumesDeleted).toEqual(['anon'])
    expect(first.SpaceReclaimed).toBeGreaterThan(10_000)
    expect((await store.prune({ all: ['true'], 'label!': ['tier'] })).VolumesDeleted).toEqual([])
    expect((await store.prune({ all: ['true'] })).VolumesDeleted).toEqual(['one'])
    expect(actions()).toEqual(['destroy anon', 'prune', 'prune', 'destroy one', 'prune'])
  })

  it('that a crash left half made or half removed are swept at the start', async () => {
    mkdirSync(join(work, 'volumes/.new-abc/_data'), { recursive: true })
    mkdirSync(join(work, 'volumes/.old-abc/_data'), { recursive: true })
    mkdirSync(join(work, 'volumes/stranger'))
    store = await open()
    expect(readdirSync(join(work, 'volumes')).sort()).toEqual(['anon', 'one', 'stranger', 'two'])
    expect(logs).toEqual(['a folder among the volumes is none'])
    expect((await store.measure('one')).UsageData).toMatchObject({ RefCount: 0 })
  })
})
