import { execFileSync } from 'node:child_process'
import { lstatSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { copyFromRoot } from '../../../../src/engine/images/copy-root.ts'
import { readRootFile } from '../../../../src/engine/images/root-file.ts'
import { AT_FDCWD } from '../../../../src/engine/kernel/constants.ts'
import { attributeAt, openAt } from '../../../../src/engine/kernel/filesystem.ts'
import { buildImage, oldArchive, StoreBench } from '../../../support/images.ts'
import { LayerBench, treeOf } from '../../../support/layers.ts'
import { missing, titled } from '../../../support/needs.ts'
import { file, folder, link, makeTar, symlink } from '../../../support/tar.ts'

const reason = missing()

const lower = [
  folder('etc', { mode: 0o711 }),
  file('etc/passwd', 'lower passwd'),
  file('etc/group', 'lower group'),
  file('etc/gone', 'gone'),
  folder('opaque'),
  file('opaque/hidden', 'hidden'),
  folder('usr/lib'),
  file('usr/lib/file', 'in usr/lib'),
  symlink('lib', 'usr/lib'),
  symlink('abs', '/lib/../lib/file'),
  symlink('out', '../../../../etc/passwd'),
  symlink('loop', 'loop'),
  symlink('nowhere', '/nothing/here'),
  folder('replaced'),
  file('replaced/x', 'x'),
  { type: 'fifo' as const, name: 'fifo' },
]
const upper = [
  file('etc/passwd', 'upper passwd'),
  file('etc/.wh.gone'),
  folder('opaque'),
  file('opaque/.wh..wh..opq'),
  file('opaque/seen', 'seen'),
  file('replaced', 'a file now'),
]

async function layers(bench: LayerBench): Promise<string[]> {
  await bench.add(makeTar(lower))
  await bench.add(makeTar(upper))
  return ['1', '0'].map((name) => bench.path(name))
}

describe.skipIf(reason)(titled('a file of a root', reason), () => {
  const cases: [path: string, expected: string | undefined][] = [
    ['etc/passwd', 'upper passwd'],
    ['/etc/group', 'lower group'],
    ['etc/gone', undefined],
    ['opaque/hidden', undefined],
    ['opaque/seen', 'seen'],
    ['lib/file', 'in usr/lib'],
    ['abs', 'in usr/lib'],
    ['out', 'upper passwd'],
    ['etc/../../../etc/group', 'lower group'],
    ['replaced', 'a file now'],
    ['replaced/x', undefined],
    ['loop', undefined],
    ['nowhere', undefined],
    ['no/such/file', undefined],
    ['etc/passwd/x', undefined],
  ]
  it.each(cases)('%s is read as the mount would show it', async (path, expected) => {
    using bench = new LayerBench()
    const folders = await layers(bench)
    expect(readRootFile(folders, path)?.toString()).toBe(expected)
    expect(readRootFile(['/no/such/layer', ...folders], path)?.toString()).toBe(expected)
  })

  it('that is none is refused: a FIFO would be waited for', async () => {
    using bench = new LayerBench()
    const folders = await layers(bench)
    expect(() => readRootFile(folders, 'fifo')).toThrow('fifo of the image: it is no regular file')
    expect(() => readRootFile(folders, 'etc')).toThrow('it is no regular file')
  })

  it('is found in the container’s own layer first', async () => {
    using bench = new LayerBench()
    const folders = await layers(bench)
    mkdirSync(bench.path('container/etc'), { recursive: true })
    symlinkSync('/opaque/seen', bench.path('container/etc/passwd'))
    expect(readRootFile([bench.path('container'), ...folders], 'etc/passwd')?.toString()).toBe('seen')
  })
})

describe.skipIf(reason)(titled('a folder of a root', reason), () => {
  it('is copied as the mount would show it', async () => {
    using bench = new LayerBench()
    const folders = await layers(bench)
    mkdirSync(bench.path('copy'))
    copyFromRoot(folders, '/', bench.path('copy'))
    const mount = bench.mount()
    expect(treeOf(bench.path('copy'))).toEqual(treeOf(mount))
    execFileSync('diff', ['-r', '--no-dereference', '-x', 'fifo', bench.path('copy'), mount])
    expect(lstatSync(bench.path('copy/etc')).mode & 0o7777).toBe(0o711)
  })

  it('comes with owners, times, attributes, hard links and devices', async () => {
    using bench = new LayerBench()
    const capability = Buffer.from('0100000200c00000000000000000000000000000', 'hex')
    const mtimeNs = 1_600_000_000_123_456_000n
    await bench.add(
      makeTar([
        folder('data', { uid: 5, gid: 6, mode: 0o1770, mtimeNs }),
        file('data/a', 'text', { uid: 7, mode: 0o4755, mtimeNs }),
        link('data/b', 'data/a'),
        folder('data/sub'),
        link('data/sub/c', 'data/a'),
        file('data/cap', 'x', { attributes: new Map([['security.capability', capability]]) }),
        { type: 'char', name: 'data/null', major: 1, minor: 3, mode: 0o666 },
        { type: 'block', name: 'data/disk', major: 259, minor: 70_000, mode: 0o600 },
        symlink('data/link', '/etc/passwd'),
      ]),
    )
    mkdirSync(bench.path('to'))
    copyFromRoot([bench.path('0')], 'data', bench.path('to'))
    const stat = (path: string) => lstatSync(bench.path('to', path), { bigint: true })
    expect(stat('')).toMatchObject({ uid: 5n, gid: 6n, mode: 0o41770n, mtimeNs })
    expect(stat('a')).toMatchObject({ uid: 7n, mode: 0o104755n, nlink: 3n, mtimeNs })
    expect(stat('sub/c').ino).toBe(stat('a').ino)
    const source = lstatSync(bench.path('0/data/disk'), { bigint: true })
    expect(stat('disk').rdev).toBe(source.rdev)
    expect(stat('null')).toMatchObject({ rdev: 0x103n, mode: 0o20666n })
    const fd = openAt(AT_FDCWD, bench.path('to'), 0)
    expect(attributeAt(fd, 'cap', 'security.capability')).toEqual(capability)
    expect(treeOf(bench.path('to')).link).toBe('l /etc/passwd')
  })

  it('that is none leaves the copy empty', async () => {
    using bench = new LayerBench()
    const folders = await layers(bench)
    mkdirSync(bench.path('to'))
    for (const path of ['etc/passwd', 'no/such', 'loop']) copyFromRoot(folders, path, bench.path('to'))
    expect(treeOf(bench.path('to'))).toEqual({})
  })
})

describe.skipIf(reason)(titled('the store of an engine', reason), () => {
  it('finds users in an image, and fills volumes from it', async () => {
    await using bench = await StoreBench.open()
    const passwd = 'root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/srv:/bin/sh\n'
    const image = buildImage({
      tags: ['users'],
      layers: [
        makeTar([file('etc/passwd', passwd), file('etc/group', 'web:x:1000:\nextra:x:7:web\n')]),
        makeTar([file('srv/index.html', '<p>', { uid: 1000 })]),
      ],
    })
    await bench.load(oldArchive([image]))
    const { layers } = bench.store.resolve('users')
    const folders = layers.toReversed().map((name) => `${bench.store.layersFolder}/${name}`)
    expect(await bench.store.identity('web', ['99'], folders)).toEqual({
      uid: 1000,
      gid: 1000,
      groups: [1000, 7, 99],
      home: '/srv',
    })
    await expect(bench.store.identity('none', [], folders)).rejects.toThrow('unable to find user none')
    const volume = `${bench.dataRoot}/volume`
    mkdirSync(volume)
    await bench.store.copyOut(layers, '/srv', volume)
    expect(readFileSync(`${volume}/index.html`, 'utf8')).toBe('<p>')
    rmSync(volume, { recursive: true })
    writeFileSync(volume, 'in the way')
    await expect(bench.store.copyOut(layers, '/srv', volume)).rejects.toMatchObject({ code: 'E_STORE_IO' })
  })
})
