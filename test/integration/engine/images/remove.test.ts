import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { shortId } from '../../../../src/shared/ids.ts'
import { buildImage, layerOf, oldArchive, StoreBench } from '../../../support/images.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing()
const base = layerOf('base', 'base')
const hello = buildImage({ tags: ['hello'], layers: [base, layerOf('hello', 'hello')] })
const other = buildImage({ tags: ['other'], layers: [base, layerOf('other', 'other!')] })

const layerCount = (bench: StoreBench) =>
  readdirSync(bench.store.layersFolder).filter((name) => name !== 'empty').length
const blobCount = (bench: StoreBench) => readdirSync(join(bench.dataRoot, 'content/blobs/sha256')).length
const conflict = (message: string) => expect.objectContaining({ http: 409, message: `conflict: ${message}` })

describe.skipIf(reason)(titled('names of images', reason), () => {
  it('are given by tag, moved, and last over a restart', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello, other]))
    bench.takeEvents()
    await bench.store.tag('hello', 'localhost:5000/a/b', 'v1')
    await bench.store.tag(hello.id, 'other:latest')
    await bench.store.tag('hello', 'plain')
    expect(bench.takeEvents()).toEqual(['tag localhost:5000/a/b:v1', 'tag other:latest', 'tag plain:latest'])
    await bench.reopen()
    expect(bench.store.inspect('hello').RepoTags).toEqual([
      'hello:latest',
      'other:latest',
      'plain:latest',
      'localhost:5000/a/b:v1',
    ])
    expect(bench.store.inspect('hello').Metadata.LastTagTime).toBe('2026-01-01T00:00:00.000Z')
    expect(bench.store.inspect(other.id).RepoTags).toEqual([])
  })

  it('are refused where they are none', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    await expect(bench.store.tag('hello', 'Bad')).rejects.toMatchObject({ http: 400 })
    await expect(bench.store.tag('hello', 'x', 'a b')).rejects.toThrow('invalid tag format')
    await expect(bench.store.tag('hello', `x@${hello.id}`)).rejects.toThrow('digest reference')
    await expect(bench.store.tag('nope', 'x')).rejects.toThrow('No such image: nope:latest')
  })
})

describe.skipIf(reason)(titled('an image is removed', reason), () => {
  it('name by name, and with the last one wholly; shared layers stay', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello, other]))
    await bench.store.tag('hello', 'second')
    bench.takeEvents()
    expect(await bench.store.remove('second')).toEqual([{ Untagged: 'second:latest' }])
    const items = await bench.store.remove('hello')
    expect(items.slice(0, 2)).toEqual([{ Untagged: 'hello:latest' }, { Deleted: hello.id }])
    expect(items).toHaveLength(3)
    expect(bench.takeEvents()).toEqual([`untag ${hello.id}`, `untag ${hello.id}`, `delete ${hello.id}`])
    expect(layerCount(bench)).toBe(2)
    expect(blobCount(bench)).toBe(3)
    expect(() => bench.store.resolve(hello.id)).toThrow('No such image')
    await bench.store.remove(other.id)
    expect([layerCount(bench), blobCount(bench)]).toEqual([0, 0])
    expect(bench.store.list()).toEqual([])
  })

  it('by its id only if it has one name, or by force', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    await bench.store.tag('hello', 'second')
    await expect(bench.store.remove(hello.id)).rejects.toEqual(
      conflict(
        `unable to delete ${shortId(hello.id)} (must be forced) - image is referenced in multiple repositories`,
      ),
    )
    const items = await bench.store.remove(shortId(hello.id), { force: true })
    expect(items.slice(0, 3)).toEqual([
      { Untagged: 'hello:latest' },
      { Untagged: 'second:latest' },
      { Deleted: hello.id },
    ])
    expect(layerCount(bench)).toBe(0)
  })

  it('not while a running container uses it, not even by force', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    const container = 'c0ffee'.padEnd(64, '0')
    bench.users.set(hello.id, [{ id: container, running: true }])
    const text = `unable to delete ${shortId(hello.id)} (cannot be forced) - image is being used by running container c0ffee000000`
    await expect(bench.store.remove(hello.id, { force: true })).rejects.toEqual(conflict(text))
    await expect(bench.store.remove('hello')).rejects.toEqual(
      conflict(
        `unable to remove repository reference "hello" (must force) - container c0ffee000000 is using its referenced image ${shortId(hello.id)}`,
      ),
    )
    expect(await bench.store.remove('hello', { force: true })).toEqual([{ Untagged: 'hello:latest' }])
    expect(bench.store.inspect(hello.id).RepoTags).toEqual([])
    expect(bench.store.rootOf(hello.id).layers).toHaveLength(2)
  })

  it('by force under a stopped container: the layers go when that has gone', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    const { layers } = bench.store.resolve('hello')
    bench.users.set(hello.id, [{ id: 'c'.repeat(64), running: false }])
    await expect(bench.store.remove(hello.id)).rejects.toThrow('must be forced')
    const items = await bench.store.remove(hello.id, { force: true })
    expect(items).toEqual([{ Untagged: 'hello:latest' }, { Deleted: hello.id }])
    expect(bench.store.list()).toEqual([])
    await bench.reopen()
    expect(bench.store.rootOf(hello.id).layers).toEqual(layers)
    await bench.store.collect()
    expect(layerCount(bench)).toBe(2)
    bench.users.clear()
    await bench.store.collect()
    expect([layerCount(bench), blobCount(bench)]).toEqual([0, 0])
  })

  it('not before a hold is released, and is back whole when it is loaded meanwhile', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    const hold = bench.store.hold(hello.id)
    await bench.store.remove('hello')
    expect(layerCount(bench)).toBe(2)
    await bench.load(oldArchive([hello]))
    hold.release()
    await bench.store.collect()
    expect(bench.store.resolve('hello').layers).toHaveLength(2)
    expect(layerCount(bench)).toBe(2)
  })

  it('while another image with its layers is loaded', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    for (let i = 0; i < 10; i++) {
      await Promise.all([bench.load(oldArchive([other])), bench.store.remove('hello')])
      await Promise.all([bench.load(oldArchive([hello])), bench.store.remove('other')])
      expect(treeIsWhole(bench)).toBe(true)
    }
  })
})

function treeIsWhole(bench: StoreBench): boolean {
  const { layers } = bench.store.resolve('hello')
  const names = layers.map((name) => readdirSync(join(bench.store.layersFolder, name)).join())
  return names.join() === 'base,hello' && layerCount(bench) === 2
}

describe.skipIf(reason)(titled('prune', reason), () => {
  it('removes what has no name, or all that nobody uses', async () => {
    await using bench = await StoreBench.open()
    const nameless = buildImage({ layers: [base, layerOf('n', '12345')] })
    const labelled = buildImage({ layers: [base], config: { Labels: { keep: '1' } } })
    await bench.load(oldArchive([hello, other, nameless, labelled]))
    bench.takeEvents()
    const first = await bench.store.prune({ 'label!': ['keep'] })
    expect(first.SpaceReclaimed).toBe(5)
    expect(first.ImagesDeleted[0]).toEqual({ Deleted: nameless.id })
    expect(bench.events.at(-1)).toMatchObject({ Action: 'prune', Actor: { Attributes: { reclaimed: '5' } } })
    bench.users.set(other.id, [{ id: 'c'.repeat(64), running: false }])
    const second = await bench.store.prune({ dangling: ['false'] })
    expect(second.SpaceReclaimed).toBe(5)
    expect(bench.store.list().map((image) => image.Id)).toEqual([other.id])
    await expect(bench.store.prune({ nonsense: [] })).rejects.toMatchObject({ code: 'E_IMAGE_FILTER' })
  })
})
