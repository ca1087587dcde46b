import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pathsOf, storageId } from '../../../../src/machine/paths.ts'
import type { MachineRecord } from '../../../../src/machine/record.ts'
import { withLock } from '../../../../src/machine/store/lock.ts'
import { Store } from '../../../../src/machine/store/store.ts'

let folder = ''
let store: Store
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tsmachine-store-'))
  store = new Store(pathsOf(join(folder, 'storage')))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function record(name: string, more: Partial<MachineRecord> = {}): MachineRecord {
  return {
    version: 1,
    id: '0123456789ab',
    name,
    driver: 'generic',
    created: '2026-01-01T00:00:00.000Z',
    options: {},
    dockerContext: true,
    phase: 'creating',
    journal: [],
    made: {},
    ...more,
  }
}

describe('the store', () => {
  test('gives back what was saved, in files for their owner only', async () => {
    await store.reserve('m1')
    await store.save(record('m1', { made: { subnet: '192.168.200.0/24' } }))
    expect(await store.get('m1')).toEqual(record('m1', { made: { subnet: '192.168.200.0/24' } }))
    const paths = store.paths.machine('m1')
    expect(statSync(paths.record).mode & 0o777).toBe(0o600)
    for (const path of [store.paths.storage, store.paths.machines, paths.folder]) {
      expect(statSync(path).mode & 0o777, path).toBe(0o700)
    }
    expect(readdirSync(paths.folder)).toEqual(['machine.json'])
  })

  test('replaces the whole record on each save', async () => {
    await store.reserve('m1')
    await store.save(record('m1', { engine: { host: '10.0.0.1', port: 2376 } }))
    await store.save(record('m1', { phase: 'ready' }))
    expect(await store.get('m1')).toEqual(record('m1', { phase: 'ready' }))
  })

  test('gives each name to one of many that ask at once', async () => {
    const taken = await Promise.all(Array.from({ length: 20 }, () => store.reserve('m1')))
    expect(taken.filter(Boolean)).toHaveLength(1)
  })

  test('lists machines in natural order, a broken record among them', async () => {
    for (const name of ['m10', 'm2', 'bad']) {
      await store.reserve(name)
      await store.save(record(name))
    }
    writeFileSync(store.paths.machine('bad').record, '{"version": 1, "na')
    const listed = await store.list()
    expect(listed.map(({ name }) => name)).toEqual(['bad', 'm2', 'm10'])
    expect(listed[0]).toMatchObject({ error: { code: 'E_RECORD_BROKEN' } })
  })

  test('is empty where there is no folder, and makes none by reading', async () => {
    expect(await store.list()).toEqual([])
    expect(await store.find('m1')).toBeUndefined()
    await expect(store.get('m1')).rejects.toMatchObject({ code: 'E_MACHINE_UNKNOWN' })
    expect(readdirSync(folder)).toEqual([])
  })

  test('refuses the record of a newer version', async () => {
    await store.reserve('m1')
    writeFileSync(store.paths.machine('m1').record, '{"version": 99}')
    await expect(store.get('m1')).rejects.toMatchObject({ code: 'E_RECORD_NEWER' })
  })

  for (const name of ['', '-m1', '.m1', 'm_1', 'a/b', '..', 'a'.repeat(64), 'm1.', 'm 1']) {
    test(`refuses the name ${JSON.stringify(name)}`, async () => {
      await expect(store.reserve(name)).rejects.toMatchObject({ code: 'E_MACHINE_NAME' })
    })
  }

  test('lets one work on a machine at a time, and says so to the other', async () => {
    await store.reserve('m1')
    const order: string[] = []
    const first = store.withMachine('m1', async () => {
      order.push('first in')
      await expect(store.withMachine('m1', async () => undefined, 200)).rejects.toMatchObject({
        code: 'E_MACHINE_BUSY',
      })
      order.push('first out')
    })
    await first
    await store.withMachine('m1', async () => void order.push('second in'))
    expect(order).toEqual(['first in', 'first out', 'second in'])
  })
})

describe('the lock of a process that was killed', () => {
  test('is free at once', async () => {
    const lock = new URL('../../../../src/machine/store/lock.ts', import.meta.url).href
    const path = join(folder, 'lock')
    const script = `const { withLock } = await import(${JSON.stringify(lock)})
await withLock(${JSON.stringify(path)}, { what: 'x', timeoutMs: 0 }, async () => process.kill(process.pid, 'SIGKILL'))`
    spawnSync(process.execPath, ['--input-type=module', '-e', script])
    expect(readdirSync(folder).sort()).toEqual(['lock.lock', 'lock.owner'])
    const start = performance.now()
    expect(await withLock(path, { what: 'x', timeoutMs: 10_000 }, async () => 'mine')).toBe('mine')
    expect(performance.now() - start).toBeLessThan(2_000)
    expect(readdirSync(folder)).toEqual([])
  })

  test('is not taken while its process lives', async () => {
    const path = join(folder, 'lock')
    await withLock(path, { what: 'x', timeoutMs: 0 }, async () => {
      await expect(withLock(path, { what: 'x', timeoutMs: 300 }, async () => 1)).rejects.toMatchObject({
        code: 'E_MACHINE_BUSY',
      })
    })
  })
})

test('two storages have different ids, one always the same', () => {
  expect(storageId('/root/.tsmachine')).toMatch(/^[0-9a-f]{8}$/)
  expect(storageId('/root/.tsmachine')).toBe(storageId('/root/.tsmachine'))
  expect(storageId('/root/.tsmachine')).not.toBe(storageId('/root/other'))
})
