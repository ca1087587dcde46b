import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemContext } from '../../../../src/swarm/context.ts'
import { openSqliteStore } from '../../../../src/swarm/store/sqlite.ts'
import { describeStore, take } from '../../../contract/store.ts'

let folder: string
let files = 0
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-store-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))
const newPath = () => join(folder, `${files++}.db`)

describeStore('sqlite', () => openSqliteStore(newPath()))

describe('sqlite', () => {
  it('shares one fsync between commits that wait together', async () => {
    const store = await openSqliteStore(newPath())
    const before = (await store.stats()).syncs
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => store.commit({ write: [{ put: `k${i}`, value: 'v' }] })),
    )
    const { revision, syncs } = await store.stats()
    expect(revision).toBe(500)
    expect(syncs - before).toBeLessThan(50)
    await store.close()
  })

  it('has everything again after closing and opening, with the same revisions', async () => {
    const path = newPath()
    const first = await openSqliteStore(path)
    await first.commit({ write: [{ put: 'a', value: '1' }] })
    await first.commit({ write: [{ put: 'a', value: '2' }] })
    await first.close()
    const second = await openSqliteStore(path)
    expect(await second.get('a')).toEqual({ key: 'a', value: '2', created: 1, modified: 2 })
    expect(await take(second.watch('', { from: 0 }), 2)).toHaveLength(2)
    expect(await second.commit({ write: [{ put: 'b', value: '3' }] })).toEqual({ ok: true, revision: 3 })
    await second.close()
  })

  it('reads from the file what a watch wants and the memory no longer has', async () => {
    const store = await openSqliteStore(newPath(), { logLimit: 5 })
    for (let i = 1; i <= 40; i++) await store.commit({ write: [{ put: `k${i}`, value: `${i}` }] })
    const batches = await take(store.watch('', { from: 3 }), 37)
    expect(batches.map((batch) => batch.revision)).toEqual(Array.from({ length: 37 }, (_, i) => i + 4))
    await store.close()
  })

  it('gives a lease its time again after a restart', async () => {
    const path = newPath()
    const first = await openSqliteStore(path)
    const lease = await first.grantLease(50)
    await first.commit({ write: [{ put: 'a', value: '1', lease }] })
    await first.close()
    const second = await openSqliteStore(path, systemContext())
    expect(await second.renewLease(lease)).toBe(true)
    expect(await take(second.watch('', { from: 1 }), 1)).toEqual([
      { revision: 2, changes: [{ key: 'a', created: 1 }] },
    ])
    await second.close()
  })

  it('is readable for its owner only', async () => {
    const path = newPath()
    const store = await openSqliteStore(path)
    await store.commit({ write: [{ put: 'a', value: '1' }] })
    for (const file of [path, `${path}-wal`]) expect((await stat(file)).mode & 0o077).toBe(0)
    await store.close()
  })

  it('says why a file can not be its store', async () => {
    const path = newPath()
    await writeFile(path, 'no database, but long enough to look like the head of some file, is it not?')
    await expect(openSqliteStore(path)).rejects.toMatchObject({ code: 'E_STATE_UNREADABLE' })
    await expect(openSqliteStore(join(folder, 'none', 'x.db'))).rejects.toMatchObject({
      code: 'E_STATE_UNREADABLE',
    })
  })
})
