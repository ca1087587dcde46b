import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isFailure } from '../../src/shared/errors.ts'
import type { Batch, Operation, Store } from '../../src/swarm/store/store.ts'

/** Takes `count` batches off a watch, then ends it. */
export async function take(batches: AsyncIterable<Batch>, count: number): Promise<Batch[]> {
  const taken: Batch[] = []
  if (count === 0) return taken
  for await (const batch of batches) {
    taken.push(batch)
    if (taken.length === count) break
  }
  return taken
}

/** What every Store promises (src/swarm/store/store.ts). */
export function describeStore(name: string, open: () => Promise<Store>): void {
  describe(`${name}: the Store contract`, () => {
    let store: Store
    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    const put = (key: string, value: string) => store.commit({ write: [{ put: key, value }] })

    it('begins empty at revision 0', async () => {
      expect(await store.list('')).toEqual({ revision: 0, entries: [] })
      expect(await store.get('a')).toBeUndefined()
    })

    it('makes one revision of a commit, whatever the number of keys', async () => {
      const outcome = await store.commit({
        write: [
          { put: 'a', value: '1' },
          { put: 'b', value: '2' },
        ],
      })
      expect(outcome).toEqual({ ok: true, revision: 1 })
      expect(await store.get('b')).toEqual({ key: 'b', value: '2', created: 1, modified: 1 })
    })

    it('remembers when a key was made and when it was last changed', async () => {
      await put('a', '1')
      await put('a', '2')
      expect(await store.get('a')).toEqual({ key: 'a', value: '2', created: 1, modified: 2 })
      await store.commit({ write: [{ delete: 'a' }] })
      await put('a', '4')
      expect(await store.get('a')).toEqual({ key: 'a', value: '4', created: 4, modified: 4 })
    })

    it('does not count a commit that changes nothing', async () => {
      await put('a', '1')
      expect(await store.commit({ write: [{ delete: 'b' }] })).toEqual({ ok: true, revision: 1 })
      expect(await store.commit({ write: [] })).toEqual({ ok: true, revision: 1 })
    })

    it('commits only when every condition holds, and names those that do not', async () => {
      await put('a', '1')
      const refused = await store.commit({
        when: [
          { key: 'a', modified: 1 },
          { key: 'b', modified: 7 },
          { key: 'c', modified: 0 },
        ],
        write: [{ put: 'a', value: 'x' }],
      })
      expect(refused).toEqual({ ok: false, revision: 1, failed: ['b'] })
      expect((await store.get('a'))?.value).toBe('1')
      const accepted = await store.commit({
        when: [
          { key: 'a', modified: 1 },
          { key: 'c', modified: 0 },
        ],
        write: [{ put: 'c', value: 'y' }],
      })
      expect(accepted).toEqual({ ok: true, revision: 2 })
    })

    it('lets one of many win who make the same key', async () => {
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          store.commit({ when: [{ key: 'k', modified: 0 }], write: [{ put: 'k', value: `${i}` }] }),
        ),
      )
      expect(outcomes.filter((outcome) => outcome.ok)).toHaveLength(1)
      expect((await store.get('k'))?.value).toBe('0')
    })

    it('lists by prefix in the order of keys, in pages', async () => {
      for (const key of ['b/2', 'a/1', 'b/1', 'b', 'b/10', 'c/1', 'b0']) await put(key, key)
      const { revision, entries } = await store.list('b/')
      expect(revision).toBe(7)
      expect(entries.map((entry) => entry.key)).toEqual(['b/1', 'b/10', 'b/2'])
      const page = await store.list('b/', { after: 'b/1', limit: 1 })
      expect(page.entries.map((entry) => entry.key)).toEqual(['b/10'])
      expect((await store.list('')).entries).toHaveLength(7)
    })

    it('reads at a revision', async () => {
      await put('a', '1')
      await put('b', '2')
      await store.commit({ write: [{ put: 'a', value: '3' }, { delete: 'b' }] })
      expect((await store.get('a', 2))?.value).toBe('1')
      expect((await store.get('b', 2))?.value).toBe('2')
      expect(await store.get('b', 1)).toBeUndefined()
      expect((await store.list('', { revision: 2 })).entries.map((e) => e.value)).toEqual(['1', '2'])
      expect((await store.list('', { revision: 3 })).entries.map((e) => e.value)).toEqual(['3'])
    })

    it('watches from a revision: what was, then what comes, each once and in order', async () => {
      await put('a', '1')
      await put('b', '2')
      const watched = take(store.watch('', { from: 1 }), 3)
      await store.commit({ write: [{ put: 'a', value: '3' }, { delete: 'b' }] })
      await put('c', '4')
      expect(await watched).toEqual([
        { revision: 2, changes: [{ key: 'b', value: '2', created: 2 }] },
        {
          revision: 3,
          changes: [
            { key: 'a', value: '3', created: 1 },
            { key: 'b', created: 2 },
          ],
        },
        { revision: 4, changes: [{ key: 'c', value: '4', created: 4 }] },
      ])
    })

    it('watches a prefix and leaves out the rest', async () => {
      const watched = take(store.watch('task/', { from: 0 }), 2)
      await put('task/1', 'a')
      await put('node/1', 'b')
      await store.commit({
        write: [
          { put: 'node/1', value: 'c' },
          { put: 'task/2', value: 'd' },
        ],
      })
      expect((await watched).map((batch) => [batch.revision, batch.changes.map((c) => c.key)])).toEqual([
        [1, ['task/1']],
        [3, ['task/2']],
      ])
    })

    it('resumes a watch where another one ended', async () => {
      for (let i = 0; i < 10; i++) await put(`k${i}`, `${i}`)
      const first = await take(store.watch('', { from: 0 }), 4)
      const rest = await take(store.watch('', { from: first.at(-1)!.revision }), 6)
      expect([...first, ...rest].map((batch) => batch.revision)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    })

    it('ends a watch by its signal and by closing', async () => {
      const stop = new AbortController()
      const stopped = take(store.watch('', { from: 0, signal: stop.signal }), 1)
      const closed = take(store.watch('', { from: 0 }), 1)
      stop.abort()
      expect(await stopped).toEqual([])
      await store.close()
      expect(await closed).toEqual([])
      await expect(put('a', '1')).rejects.toMatchObject({ code: 'E_STORE_CLOSED' })
    })

    it('deletes the keys of a lease that was revoked, and only those it still holds', async () => {
      const lease = await store.grantLease(60_000)
      await store.commit({
        write: [
          { put: 'a', value: '1', lease },
          { put: 'b', value: '1', lease },
          { put: 'c', value: '1' },
        ],
      })
      await put('b', '2')
      const watched = take(store.watch('', { from: 2 }), 1)
      await store.revokeLease(lease)
      expect(await watched).toEqual([{ revision: 3, changes: [{ key: 'a', created: 1 }] }])
      expect((await store.list('')).entries.map((entry) => entry.key)).toEqual(['b', 'c'])
      expect(await store.renewLease(lease)).toBe(false)
    })

    it('deletes the keys of a lease that nobody renews', async () => {
      const lease = await store.grantLease(40)
      await store.commit({ write: [{ put: 'a', value: '1', lease }] })
      const [batch] = await take(store.watch('', { from: 1 }), 1)
      expect(batch?.changes).toEqual([{ key: 'a', created: 1 }])
    })

    it('keeps the newest state through compaction, and says what is gone', async () => {
      await put('a', '1')
      await put('b', '2')
      await store.commit({ write: [{ put: 'a', value: '3' }, { delete: 'b' }] })
      await put('c', '4')
      await store.compact(3)
      expect((await store.list('')).entries.map((e) => [e.key, e.value, e.modified])).toEqual([
        ['a', '3', 3],
        ['c', '4', 4],
      ])
      expect((await store.get('a', 3))?.value).toBe('3')
      const gone = (error: unknown) => isFailure(error, 'E_STORE_COMPACTED')
      await expect(store.get('a', 2)).rejects.toSatisfy(gone)
      await expect((async () => take(store.watch('', { from: 2 }), 1))()).rejects.toSatisfy(gone)
      expect(await take(store.watch('', { from: 3 }), 1)).toHaveLength(1)
      expect((await store.stats()).compacted).toBe(3)
    })

    it('never goes back with its revision, even when compaction deletes the last change', async () => {
      await put('a', '1')
      await store.commit({ write: [{ delete: 'a' }] })
      await store.compact(2)
      expect(await put('a', '2')).toEqual({ ok: true, revision: 3 })
    })

    it('shows, at every revision, what a plain map would hold', async () => {
      const operation = fc.oneof(
        fc.record({ put: fc.constantFrom('a', 'a/b', 'b', 'c'), value: fc.string({ maxLength: 3 }) }),
        fc.record({ delete: fc.constantFrom('a', 'a/b', 'b', 'c') }),
      )
      const keyOf = (o: Operation) => ('put' in o ? o.put : o.delete)
      const transaction = fc.uniqueArray(operation, { maxLength: 3, selector: keyOf })
      await fc.assert(
        fc.asyncProperty(fc.array(transaction, { maxLength: 12 }), async (transactions) => {
          const fresh = await open()
          try {
            const model = new Map<string, string>()
            const shown = new Map<number, [string, string][]>([[0, []]])
            for (const write of transactions) {
              const { revision } = await fresh.commit({ write })
              for (const o of write) {
                if ('put' in o) model.set(o.put, o.value)
                else model.delete(o.delete)
              }
              shown.set(
                revision,
                [...model].sort(([x], [y]) => (x < y ? -1 : 1)),
              )
            }
            for (const [revision, expected] of shown) {
              const { entries } = await fresh.list('', { revision })
              expect(entries.map((e) => [e.key, e.value])).toEqual(expected)
            }
            const replayed = new Map<string, string>()
            for (const { changes } of await take(fresh.watch('', { from: 0 }), shown.size - 1)) {
              for (const c of changes)
                c.value === undefined ? replayed.delete(c.key) : replayed.set(c.key, c.value)
            }
            expect(replayed).toEqual(model)
          } finally {
            await fresh.close()
          }
        }),
        { numRuns: 25 },
      )
    })
  })
}
