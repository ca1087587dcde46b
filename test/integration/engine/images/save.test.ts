import { execFileSync } from 'node:child_process'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/engine/images/digest.ts'
import { buildImage, layerOf, ociArchive, oldArchive, StoreBench } from '../../../support/images.ts'
import { missing, titled } from '../../../support/needs.ts'
import { makeTar, readTar } from '../../../support/tar.ts'

const reason = missing()
const hello = buildImage({ tags: ['hello', 'x.y/z:1'], layers: [layerOf('a', 'a'), layerOf('b', 'b')] })
const packed = buildImage({ tags: ['packed'], layers: [layerOf('c', 'c')], pack: (tar) => gzipSync(tar) })

describe.skipIf(reason)(titled('saved images', reason), () => {
  it('come back with the same ids and blobs, by either of their lists', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello, packed]))
    const archive = await buffer(Readable.from(bench.store.save(['hello', 'x.y/z:1', 'packed'])))
    execFileSync('tar', ['-tf', '-'], { input: archive })
    const again = await buffer(Readable.from(bench.store.save(['hello', 'x.y/z:1', 'packed'])))
    expect(again.equals(archive)).toBe(true)
    await using second = await StoreBench.open()
    await second.load(archive)
    expect(second.store.inspect(hello.id).RepoTags).toEqual(['hello:latest', 'x.y/z:1'])
    expect(second.store.inspect(packed.id).RootFS.Layers).toEqual(packed.diffIds)
    const items = readTar(archive)
    const manifest = JSON.parse(items.find((i) => i.name === 'manifest.json')!.data.toString())
    expect(manifest[1].Layers).toEqual([`blobs/sha256/${digestOf(packed.blobs[0]!).slice(7)}`])
    // Without Docker's own lists.
    const oci = makeTar(items.filter((i) => !['manifest.json', 'repositories'].includes(i.name)))
    await using third = await StoreBench.open()
    await third.load(oci)
    expect(third.store.inspect(hello.id).RepoTags).toEqual(['hello:latest', 'x.y/z:1'])
    expect(bench.takeEvents().filter((e) => e.startsWith('save'))).toHaveLength(4)
  })

  it('named by their id have no name, and keep the manifest that they came with', async () => {
    await using bench = await StoreBench.open()
    const came = ociArchive([hello], { docker: true })
    await bench.load(came)
    const items = readTar(await buffer(Readable.from(bench.store.save([hello.id]))))
    const index = JSON.parse(items.find((i) => i.name === 'index.json')!.data.toString())
    const original = JSON.parse(
      readTar(came)
        .find((i) => i.name === 'index.json')!
        .data.toString(),
    )
    expect(index.manifests).toEqual([{ ...original.manifests[0], annotations: undefined }])
    expect(JSON.parse(items.find((i) => i.name === 'manifest.json')!.data.toString())[0].RepoTags).toBeNull()
  })

  it('that are not there fail before the first byte', async () => {
    await using bench = await StoreBench.open()
    expect(() => bench.store.save(['nope'])).toThrow('No such image: nope:latest')
  })
})
