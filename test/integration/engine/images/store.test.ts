import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { digestOf, hexOf } from '../../../../src/engine/images/digest.ts'
import { buildImage, inPieces, layerOf, ociArchive, oldArchive, StoreBench } from '../../../support/images.ts'
import { missing, titled } from '../../../support/needs.ts'
import { file, makeTar, readTar, symlink } from '../../../support/tar.ts'

const reason = missing()
const base = layerOf('base', 'base')
const hello = buildImage({
  tags: ['hello:latest', 'example.com:5000/hello:v1'],
  layers: [base, layerOf('hello', 'hello')],
  config: { Env: ['A=b'], Cmd: ['/bin/hello'], Labels: { kind: 'test' } },
})
const other = buildImage({ tags: ['other'], layers: [base, layerOf('other', 'other!')] })

/** All files and folders of the store that hold something. */
function contentOf(bench: StoreBench) {
  return {
    blobs: readdirSync(join(bench.dataRoot, 'content/blobs/sha256')).sort(),
    ingest: readdirSync(join(bench.dataRoot, 'content/ingest')),
    layers: readdirSync(bench.store.layersFolder).filter((name) => name !== 'empty'),
  }
}

describe.skipIf(reason)(titled('images are loaded', reason), () => {
  const forms: [string, Buffer][] = [
    ['the form before Docker 25', oldArchive([hello])],
    ['the form since Docker 25', ociArchive([hello], { docker: true })],
    ['an OCI layout', ociArchive([hello])],
    ['gzip', gzipSync(oldArchive([hello]))],
    ['zstd', zstdCompressSync(oldArchive([hello]))],
  ]
  it.each(forms)('from %s', async (_, archive) => {
    await using bench = await StoreBench.open()
    const progress = await bench.load(archive)
    expect(progress.filter((p) => p.stream)).toEqual([
      { stream: 'Loaded image: hello:latest\n' },
      { stream: 'Loaded image: example.com:5000/hello:v1\n' },
    ])
    const { id, config, layers } = bench.store.resolve('hello')
    expect(id).toBe(hello.id)
    expect(config.Cmd).toEqual(['/bin/hello'])
    expect(layers).toHaveLength(2)
    for (const name of layers) expect(name).toMatch(/^[a-z0-9]{12}$/)
    expect(readFileSync(bench.layerPath('hello', 0, 'base'), 'utf8')).toBe('base')
    expect(readFileSync(bench.layerPath('hello', 1, 'hello'), 'utf8')).toBe('hello')
    expect(bench.takeEvents()).toEqual([`load ${hello.id}`])
  })

  it('several at once, with packed layers, and layers under several names', async () => {
    await using bench = await StoreBench.open()
    const packed = buildImage({ layers: [base, layerOf('x', 'x')], pack: (tar) => gzipSync(tar) })
    const manifest = [0, 1].map((i) => ({
      Config: `${i}.json`,
      RepoTags: i === 0 ? ['first', 'second:2'] : [],
      Layers: [`${i}a/layer.tar`, `${i}b/layer.tar`],
    }))
    const archive = makeTar([
      file('0a/layer.tar', hello.blobs[0]),
      file('0b/layer.tar', hello.blobs[1]),
      symlink('1a/layer.tar', '../0a/layer.tar'),
      file('1b/layer.tar', packed.blobs[1]),
      file('0.json', hello.config),
      file('1.json', packed.config),
      file('manifest.json', JSON.stringify(manifest)),
    ])
    const said = (await bench.load(archive)).flatMap((p) => p.stream ?? [])
    expect(said).toEqual([
      'Loaded image: first:latest\n',
      'Loaded image: second:2\n',
      `Loaded image ID: ${packed.id}\n`,
    ])
    expect(contentOf(bench).layers).toHaveLength(3)
    expect(contentOf(bench).ingest).toEqual([])
  })

  it('and loaded again without unpacking twice, while two loads at once share the work', async () => {
    await using bench = await StoreBench.open()
    await Promise.all([
      bench.load(oldArchive([hello])),
      bench.load(oldArchive([hello])),
      bench.load(oldArchive([other])),
    ])
    expect(contentOf(bench).layers).toHaveLength(3)
    const before = contentOf(bench)
    await bench.load(oldArchive([hello]))
    expect(contentOf(bench)).toEqual(before)
  })

  it('of a name that led elsewhere: the old image stays without it', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([{ ...hello, tags: ['x'] }]))
    const said = await bench.load(oldArchive([{ ...other, tags: ['x'] }]))
    expect(said[0]!.stream).toBe(
      `The image x:latest already exists, renaming the old one with ID ${hello.id} to empty string\n`,
    )
    expect(bench.store.inspect(hello.id).RepoTags).toEqual([])
    expect(bench.store.resolve('x').id).toBe(other.id)
  })

  it('for this machine where an index has several platforms', async () => {
    await using bench = await StoreBench.open()
    const archive = readTar(ociArchive([hello]))
    const index = JSON.parse(archive.find((item) => item.name === 'index.json')!.data.toString())
    const mine = process.arch === 'arm64' ? 'arm64' : 'amd64'
    const nested = (architecture: string) =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          manifests: [
            { ...index.manifests[0], platform: { os: 'linux', architecture: 'unknown' } },
            { ...index.manifests[0], platform: { os: 'linux', architecture } },
          ],
        }),
      )
    const wrap = (data: Buffer) =>
      makeTar([
        ...archive.filter((item) => item.name !== 'index.json'),
        file(`blobs/sha256/${hexOf(digestOf(data))}`, data),
        file(
          'index.json',
          JSON.stringify({
            manifests: [
              {
                mediaType: 'application/vnd.oci.image.index.v1+json',
                digest: digestOf(data),
                annotations: { 'org.opencontainers.image.ref.name': 'multi:1' },
              },
            ],
          }),
        ),
      ])
    await bench.load(wrap(nested(mine)))
    expect(bench.store.resolve('multi:1').id).toBe(hello.id)
    await expect(bench.load(wrap(nested('s390x')))).rejects.toThrow(`no image for linux/${mine}`)
  })
})

describe.skipIf(reason)(titled('an archive is refused', reason), () => {
  const manifest = (value: unknown) => [file('manifest.json', JSON.stringify(value))]
  const entry = { Config: 'c.json', Layers: ['l.tar'] }
  const good = oldArchive([hello])
  const bad = (change: object) => {
    const image = buildImage({ layers: [base], rest: change })
    return oldArchive([image])
  }
  const cases: [string, Buffer, RegExp][] = [
    ['that is none', Buffer.from('hello world'.repeat(100)), /^E_ARCHIVE .*wrong checksum/],
    ['that is empty', makeTar([]), /neither manifest.json nor index.json/],
    ['of ancient form', makeTar([file('repositories', '{}')]), /before Docker 1.10/],
    ['cut off', good.subarray(0, 3000), /^E_ARCHIVE .*ends in the middle/],
    ['cut off when packed', gzipSync(good).subarray(0, 300), /^E_ARCHIVE .*cannot be decompressed/],
    ['without a layer', makeTar([file('c.json', hello.config), ...manifest([entry])]), /it lacks "l.tar"/],
    ['without a configuration', makeTar(manifest([entry])), /it lacks "c.json"/],
    ['whose manifest is no JSON', makeTar([file('manifest.json', '[')]), /manifest.json" is no JSON/],
    ['whose manifest is no list', makeTar(manifest({})), /must be a list of images/],
    [
      'whose manifest has no layers',
      makeTar([file('c.json', '{}'), ...manifest([{ ...entry, Layers: 5 }])]),
      /no list/,
    ],
    ['with a bad name', oldArchive([{ ...hello, tags: ['UPPER'] }]), /^E_REFERENCE .*must be lowercase/],
    ['with fewer layers than it says', oldArchive([{ ...hello, blobs: [base] }]), /layers length mismatch/],
    [
      'with another layer than it says',
      oldArchive([{ ...hello, blobs: [base, base] }]),
      /^E_DIGEST .*damaged/,
    ],
    ['for another system', bad({ os: 'windows' }), /^E_IMAGE_CONFIG .*"windows" cannot be used/],
    ['without layers in its configuration', bad({ rootfs: { type: 'x' } }), /rootfs.type must be "layers"/],
    ['whose Env is no list', bad({ config: { Env: 5 } }), /config.Env must be a list of strings/],
    ['whose volumes are no set', bad({ config: { Volumes: ['a'] } }), /config.Volumes must be/],
    ['whose history is none', bad({ history: [1] }), /history must be/],
    [
      'whose configuration is no object',
      makeTar([file('c.json', '[]'), file('l.tar', base), ...manifest([entry])]),
      /it must be an object/,
    ],
    ['with a path out of it', makeTar([file('../x', 'x')]), /leads out/],
    [
      'whose blob is not what its name says',
      ociArchive([hello], { docker: true, extra: [file(`blobs/sha256/${hexOf(digestOf(base))}`, 'evil')] }),
      /^E_DIGEST/,
    ],
  ]
  it.each(cases)('%s', async (_, archive, expected) => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([other]))
    const before = contentOf(bench)
    const failure = await bench.load(archive).then(
      () => 'loaded',
      (error) => `${error.code} ${error.message}`,
    )
    expect(failure).toMatch(expected)
    expect(failure).not.toContain('\n')
    expect(contentOf(bench)).toEqual(before)
    expect(bench.store.list()).toHaveLength(1)
  })

  it('when its sender goes away', async () => {
    await using bench = await StoreBench.open()
    async function* broken() {
      yield* inPieces(good.subarray(0, 2500))
      throw new Error('connection lost')
    }
    await expect(bench.load(broken())).rejects.toThrow('connection lost')
    expect(contentOf(bench)).toEqual({ blobs: [], ingest: [], layers: [] })
  })

  it('with the layer and entry of a hostile layer, and no image of it is there', async () => {
    await using bench = await StoreBench.open({ entries: 5 })
    const evil = buildImage({ layers: [base, makeTar([file('a/../../x', 'x')])] })
    await expect(bench.load(oldArchive([hello, evil]))).rejects.toThrow(
      `layer ${evil.diffIds[1]}: entry "a/../../x": its name leads out of the layer (..)`,
    )
    const many = buildImage({ layers: [makeTar(Array.from({ length: 6 }, (_, i) => file(`f${i}`)))] })
    await expect(bench.load(oldArchive([many]))).rejects.toThrow('more than 5 entries in all')
    expect(contentOf(bench)).toEqual({ blobs: [], ingest: [], layers: [] })
    expect(bench.store.list()).toEqual([])
  })
})

describe.skipIf(reason)(titled('images are shown', reason), () => {
  it('by list, with its filters', async () => {
    await using bench = await StoreBench.open()
    const nameless = buildImage({ layers: [base], rest: { created: '2020-01-01T00:00:00Z' } })
    await bench.load(oldArchive([hello, other, nameless]))
    expect(bench.store.list({ sharedSize: true })).toEqual(
      expect.arrayContaining([
        {
          Id: hello.id,
          ParentId: '',
          RepoTags: ['hello:latest', 'example.com:5000/hello:v1'],
          RepoDigests: [],
          Created: 1_746_421_505,
          Size: 9,
          SharedSize: 4,
          Labels: { kind: 'test' },
          Containers: -1,
        },
      ]),
    )
    const list = (filters: Record<string, string[]>) =>
      bench.store
        .list({ filters })
        .map((image) => image.RepoTags.join() || 'nameless')
        .sort()
    const both = 'hello:latest,example.com:5000/hello:v1'
    expect(list({})).toEqual([both, 'nameless', 'other:latest'])
    expect(list({ dangling: ['true'] })).toEqual(['nameless'])
    expect(list({ dangling: ['false'] })).toEqual([both, 'other:latest'])
    expect(list({ label: ['kind=test'] })).toEqual([both])
    expect(list({ 'label!': ['kind'] })).toEqual(['nameless', 'other:latest'])
    expect(list({ reference: ['h*'] })).toEqual(['hello:latest'])
    expect(list({ reference: ['*/hello:v?', 'other'] })).toEqual([
      'example.com:5000/hello:v1',
      'other:latest',
    ])
    expect(list({ since: [nameless.id] })).toEqual([both, 'other:latest'])
    expect(list({ before: ['hello'] })).toEqual(['nameless'])
    expect(list({ until: ['2022-01-01'] })).toEqual(['nameless'])
    expect(() => list({ nonsense: ['1'] })).toThrow("invalid filter 'nonsense'")
  })

  it('by inspect and history', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    expect(bench.store.inspect('hello')).toMatchObject({
      Id: hello.id,
      RepoTags: ['hello:latest', 'example.com:5000/hello:v1'],
      Created: '2025-05-05T05:05:05.5Z',
      Config: { Env: ['A=b'] },
      Os: 'linux',
      Size: 9,
      RootFS: { Type: 'layers', Layers: hello.diffIds },
      Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
    })
    expect(bench.store.history('hello')).toEqual([
      {
        Id: hello.id,
        Created: 1_746_421_505,
        CreatedBy: 'step 1',
        Tags: ['hello:latest', 'example.com:5000/hello:v1'],
        Size: 5,
        Comment: '',
      },
      { Id: '<missing>', Created: 1_746_421_505, CreatedBy: 'step 0', Tags: null, Size: 4, Comment: '' },
    ])
  })

  it('by any name, and not by another', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello, other]))
    const names = ['hello', 'hello:latest', 'docker.io/library/hello', 'index.docker.io/library/hello:latest']
    const ids = [hello.id, hexOf(hello.id), hexOf(hello.id).slice(0, 12), hello.id.slice(0, 20)]
    for (const ref of [...names, ...ids]) expect(bench.store.resolve(ref).id, ref).toBe(hello.id)
    const failures: [string, string, number][] = [
      ['nope', 'No such image: nope:latest', 404],
      ['nope:v1', 'No such image: nope:v1', 404],
      ['hello:v9', 'No such image: hello:v9', 404],
      ['a.b/c', 'No such image: a.b/c:latest', 404],
      [`hello@${hello.id}`, `No such image: hello@${hello.id}`, 404],
      [`sha256:${'0'.repeat(64)}`, `No such image: sha256:${'0'.repeat(64)}`, 404],
      ['0123456789', 'No such image: 0123456789:latest', 404],
      ['Upper', 'invalid reference format: repository name (library/Upper) must be lowercase', 400],
      ['a b', 'invalid reference format', 400],
      ['', 'invalid reference format', 400],
    ]
    for (const [ref, message, http] of failures) {
      expect(() => bench.store.resolve(ref)).toThrow(expect.objectContaining({ message, http }))
    }
  })

  it('and the beginning of several ids is ambiguous', async () => {
    await using bench = await StoreBench.open()
    const images = Array.from({ length: 17 }, (_, i) =>
      buildImage({ layers: [base], config: { User: `u${i}` } }),
    )
    await bench.load(oldArchive(images))
    const first = images.map((image) => hexOf(image.id)[0]!)
    const twice = first.find((digit, i) => first.indexOf(digit) !== i)!
    expect(() => bench.store.resolve(twice)).toThrow(
      expect.objectContaining({ code: 'E_AMBIGUOUS_IMAGE', http: 404 }),
    )
  })

  it('without layers with one empty layer to mount', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([buildImage({ tags: ['scratch-like'], layers: [] })]))
    expect(bench.store.resolve('scratch-like').layers).toEqual(['empty'])
    expect(readdirSync(bench.layerPath('scratch-like', 0))).toEqual([])
  })
})

describe.skipIf(reason)(titled('a damaged store', reason), () => {
  it('unpacks layers anew that are gone', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    rmSync(bench.layerPath('hello', 0), { recursive: true })
    await bench.reopen()
    expect(bench.logs).toEqual(['layers are missing and are unpacked again'])
    expect(readFileSync(bench.layerPath('hello', 0, 'base'), 'utf8')).toBe('base')
    await bench.reopen()
    expect(bench.logs).toHaveLength(1)
  })

  it('takes an image out whose blobs are gone', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello, other]))
    writeFileSync(join(bench.dataRoot, 'content/blobs/sha256', hexOf(hello.id)), 'damaged')
    await bench.reopen()
    expect(bench.logs).toEqual(['image is damaged and was taken out'])
    expect(bench.store.list().map((image) => image.Id)).toEqual([other.id])
    expect(contentOf(bench).layers).toHaveLength(2)
  })

  it('is refused where its list can not be read', async () => {
    await using bench = await StoreBench.open()
    writeFileSync(join(bench.dataRoot, 'images/index.json'), '{"version":7}')
    await expect(bench.reopen()).rejects.toMatchObject({ code: 'E_STORE_BROKEN' })
  })

  it('is refused, and nothing of it swept, where its list is missing', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    const before = contentOf(bench)
    const layer = bench.layerPath('hello', 0, 'base')
    renameSync(join(bench.dataRoot, 'images/index.json'), join(bench.dataRoot, 'kept'))
    await expect(bench.reopen()).rejects.toMatchObject({ code: 'E_STORE_BROKEN' })
    expect(existsSync(layer)).toBe(true)
    renameSync(join(bench.dataRoot, 'kept'), join(bench.dataRoot, 'images/index.json'))
    await bench.reopen()
    expect(contentOf(bench)).toEqual(before)
  })

  it('has its list before anything else: a crash in its first load is swept', async () => {
    await using bench = await StoreBench.open()
    await bench.reopen()
    writeFileSync(join(bench.dataRoot, 'content/blobs/sha256', hexOf(digestOf('x'))), 'x')
    mkdirSync(join(bench.dataRoot, 'layers/abcdef'))
    await bench.reopen()
    expect(contentOf(bench).blobs).toEqual([])
    expect(existsSync(join(bench.dataRoot, 'layers/abcdef'))).toBe(false)
    // One from before there was a list from the start on.
    rmSync(join(bench.dataRoot, 'images/index.json'))
    await bench.reopen()
    expect(bench.store.list()).toEqual([])
  })

  it('is swept of what nothing leads to', async () => {
    await using bench = await StoreBench.open()
    await bench.load(oldArchive([hello]))
    const before = contentOf(bench)
    writeFileSync(join(bench.dataRoot, 'content/blobs/sha256', hexOf(digestOf('x'))), 'x')
    writeFileSync(join(bench.dataRoot, 'content/ingest/abc'), 'x')
    writeFileSync(join(bench.dataRoot, 'layers/.new-abc'), 'x')
    writeFileSync(join(bench.dataRoot, 'layers/abcdef'), 'x')
    await bench.reopen()
    expect(contentOf(bench)).toEqual(before)
    expect(existsSync(bench.layerPath('hello', 0, 'base'))).toBe(true)
  })
})
