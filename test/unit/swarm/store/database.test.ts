import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../../src/swarm/context.ts'
import { Database } from '../../../../src/swarm/store/database.ts'
import type { Draft, New } from '../../../../src/swarm/store/draft.ts'
import { openMemoryStore } from '../../../../src/swarm/store/memory.ts'
import type { Task } from '../../../../src/swarm/store/objects/task.ts'
import { findByRef, type ObjectChange } from '../../../../src/swarm/store/replica.ts'
import type { Store } from '../../../../src/swarm/store/store.ts'

function task(ID: string, members: Partial<Task> = {}): New<Task> {
  return {
    ID,
    ServiceID: 's1',
    Slot: 1,
    NodeID: '',
    TemplateID: 't1',
    Status: { Timestamp: '', State: 'new' },
    DesiredState: 'running',
    ...members,
  }
}

describe('the database', () => {
  let store: Store
  let database: Database
  beforeEach(async () => {
    store = openMemoryStore()
    database = await Database.open(store, systemClock)
  })
  afterEach(() => database.close())
  const put = (object: New<Task>) => database.transact((draft) => draft.put('task', object))

  it('gives an object the revision that changed it as its version', async () => {
    await put(task('a'))
    const before = database.replica.get('task', 'a')!
    expect(before.Version.Index).toBe(1)
    await database.transact((draft) => draft.put('task', { ...before, NodeID: 'n1' }))
    const after = database.replica.get('task', 'a')!
    expect(after).toMatchObject({ Version: { Index: 2 }, CreatedAt: before.CreatedAt, NodeID: 'n1' })
  })

  it('shows a change as soon as its transaction resolves, in tables and indexes', async () => {
    await put(task('a', { NodeID: 'n1' }))
    expect([...database.replica.tasksOn('n1')].map((t) => t.ID)).toEqual(['a'])
    await put(task('a', { NodeID: 'n2' }))
    expect([...database.replica.tasksOn('n1')]).toEqual([])
    expect([...database.replica.tasksOf('s1')].map((t) => t.NodeID)).toEqual(['n2'])
    await database.transact((draft) => draft.delete('task', 'a'))
    expect([...database.replica.tasksOf('s1')]).toEqual([])
  })

  it('runs a transaction again on the new state when another one was quicker', async () => {
    await put(task('a', { Slot: 1 }))
    const increment = (draft: Draft) => {
      const object = draft.get('task', 'a')!
      draft.put('task', { ...object, Slot: object.Slot + 1 })
    }
    await Promise.all(Array.from({ length: 15 }, () => database.transact(increment)))
    expect(database.replica.get('task', 'a')?.Slot).toBe(16)
  })

  it('gives a claim to one of two', async () => {
    const take = (owner: string) => database.transact((draft) => draft.claim('port/tcp/80', owner))
    expect(await Promise.all([take('s1'), take('s2')])).toEqual([true, false])
    expect(await take('s1')).toBe(true)
    await database.transact((draft) => draft.release('port/tcp/80', 's2'))
    expect(database.replica.get('claim', 'port/tcp/80')?.Owner).toBe('s1')
    await database.transact((draft) => draft.release('port/tcp/80', 's1'))
    expect(await take('s2')).toBe(true)
  })

  it('tells its listeners what was and what is, batch by batch', async () => {
    const heard: [number, ObjectChange[]][] = []
    database.replica.subscribe((changes, revision) => heard.push([revision, changes]))
    await put(task('a', { NodeID: 'n1' }))
    await database.transact((draft) => draft.delete('task', 'a'))
    expect(heard).toMatchObject([
      [1, [{ kind: 'task', id: 'a', before: undefined, after: { NodeID: 'n1' } }]],
      [2, [{ kind: 'task', id: 'a', before: { NodeID: 'n1' }, after: undefined }]],
    ])
  })

  it('loads what is there, with versions', async () => {
    await put(task('a'))
    await put(task('b'))
    const second = await Database.open(store, systemClock)
    expect([...second.replica.all('task')].map((t) => [t.ID, t.Version.Index])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    second.replica.close()
  })

  it('leaves rows alone that a newer version wrote', async () => {
    await store.commit({ write: [{ put: 'hologram/1', value: 'not even JSON' }] })
    await put(task('a'))
    expect(database.replica.count('task')).toBe(1)
  })

  it('finds by id, by name and by the beginning of an id', async () => {
    const network = { Driver: 'overlay', Labels: {}, Options: {}, Internal: false, Attachable: false }
    const rest = { Ingress: false, EnableIPv6: false, IPAM: { Subnet: '', Gateway: '' }, Vni: 1 }
    await database.transact((draft) => {
      draft.put('network', { ID: 'abc1', Name: 'front', ...network, ...rest })
      draft.put('network', { ID: 'abd2', Name: 'abc1', ...network, ...rest })
    })
    const ids = (ref: string) => findByRef(database.replica, 'network', ref).map((n) => n.ID)
    expect(ids('abc1')).toEqual(['abc1'])
    expect(ids('front')).toEqual(['abc1'])
    expect(ids('ab')).toEqual(['abc1', 'abd2'])
    expect(ids('x')).toEqual([])
    expect(ids('')).toEqual([])
  })
})
