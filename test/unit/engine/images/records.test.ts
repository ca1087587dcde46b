import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ContentStore } from '../../../../src/engine/images/content.ts'
import { chainIds, digestOf } from '../../../../src/engine/images/digest.ts'
import { cleanName, displayName, placeOf } from '../../../../src/engine/images/layers/names.ts'
import { Leases } from '../../../../src/engine/images/leases.ts'
import { ImageIndex } from '../../../../src/engine/images/records.ts'

let work: string
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'tsmachine-records-'))
})
afterEach(() => rmSync(work, { recursive: true }))

const id = digestOf('image')

describe('the image index', () => {
  it('keeps what was changed, and nothing of a change that failed', async () => {
    const path = join(work, 'images/index.json')
    const index = await ImageIndex.open(path)
    await index.change((draft) => {
      draft.images.set(id, { id, layers: [], addedAt: '2026-01-01T00:00:00Z' })
      draft.references.set('docker.io/library/x:latest', id)
    })
    const failing = index.change((draft) => {
      draft.images.clear()
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(index.state.images.size).toBe(1)
    const again = await ImageIndex.open(path)
    expect(again.state).toEqual(index.state)
    expect(readdirSync(join(work, 'images'))).toEqual(['index.json'])
  })

  it('does changes one after the other', async () => {
    const index = await ImageIndex.open(join(work, 'index.json'))
    const names = Array.from({ length: 20 }, (_, i) => `x/y:${i}`)
    await Promise.all(names.map((name) => index.change((draft) => void draft.references.set(name, id))))
    expect([...index.state.references.keys()]).toEqual(names)
  })

  it.each([
    '{',
    '[]',
    '{"version":2}',
    '{"version":1}',
    '{"version":1,"images":[{"id":"x"}],"layers":[],"references":{}}',
  ])('is refused when it reads %s', async (text) => {
    const path = join(work, 'index.json')
    writeFileSync(path, text)
    await expect(ImageIndex.open(path)).rejects.toMatchObject({ code: 'E_STORE_BROKEN' })
    expect(readFileSync(path, 'utf8')).toBe(text)
  })
})

describe('the content store', () => {
  it('has a blob whole or not at all', async () => {
    const content = await ContentStore.open(join(work, 'content'))
    const ingest = await content.begin()
    await ingest.write(Buffer.from('hel'))
    await ingest.write(Buffer.from('lo'))
    expect(content.list()).toEqual([])
    expect(await ingest.commit()).toBe(digestOf('hello'))
    await ingest.discard()
    expect(content.readSmall(digestOf('hello')).toString()).toBe('hello')
    expect(readdirSync(join(work, 'content/ingest'))).toEqual([])
    expect(await content.remove([digestOf('hello')])).toBe(5)
    expect(() => content.readSmall(digestOf('hello'))).toThrow('has no blob')
  })

  it('refuses what is not what was expected, and leaves nothing of it', async () => {
    const content = await ContentStore.open(join(work, 'content'))
    const ingest = await content.begin()
    await ingest.write(Buffer.from('evil'))
    await expect(ingest.commit(digestOf('good'))).rejects.toMatchObject({ code: 'E_DIGEST' })
    await ingest.discard()
    expect([...content.list(), ...readdirSync(join(work, 'content/ingest'))]).toEqual([])
  })

  it('tells of a blob that the disk has damaged', async () => {
    const content = await ContentStore.open(join(work, 'content'))
    const digest = await content.write(Buffer.from('good'))
    writeFileSync(content.pathOf(digest), 'bad!')
    expect(() => content.readSmall(digest)).toThrow('is damaged')
  })

  it('sweeps at its start what never became a blob', async () => {
    const content = await ContentStore.open(join(work, 'content'))
    const ingest = await content.begin()
    await ingest.write(Buffer.from('half'))
    await ingest.seal()
    await ContentStore.open(join(work, 'content'))
    expect(readdirSync(join(work, 'content/ingest'))).toEqual([])
  })
})

describe('names', () => {
  it('of layers are chain ids of the image specification', () => {
    const [a, b] = [digestOf('a'), digestOf('b')]
    expect(chainIds([a, b])).toEqual([a, digestOf(`${a} ${b}`)])
    expect(chainIds([a, b, a])[2]).toBe(digestOf(`${digestOf(`${a} ${b}`)} ${a}`))
  })

  it('of entries lead nowhere but into the layer', () => {
    expect(['./a//b/', '/a/b', 'a/./b'].map(cleanName)).toEqual(['a/b', 'a/b', 'a/b'])
    expect(cleanName('./')).toBe('')
    for (const name of ['..', '../a', 'a/..', 'a/../b', '/..'])
      expect(() => cleanName(name)).toThrow('leads out')
    expect(placeOf('a/.wh.b')).toEqual({ kind: 'whiteout', folder: 'a', name: 'b', path: 'a/b' })
    expect(placeOf('.wh..wh..opq')).toEqual({ kind: 'opaque', folder: '' })
    expect(placeOf('.wh..wh.plnk/1.2')).toEqual({ kind: 'skip' })
    expect(displayName(Buffer.from('ü"').toString('latin1'))).toBe('"ü\\""')
  })

  it('are leased as often as they are held', () => {
    const leases = new Leases()
    const first = leases.hold(['a', 'b'])
    const second = leases.hold(['a'])
    first.release()
    first.release()
    expect([leases.has('a'), leases.has('b')]).toEqual([true, false])
    second.release()
    expect(leases.has('a')).toBe(false)
  })
})
