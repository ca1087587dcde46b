import { execFileSync } from 'node:child_process'
import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { AT_FDCWD } from '../../../../src/engine/kernel/constants.ts'
import { attributeAt, openAt, setTimesAt } from '../../../../src/engine/kernel/filesystem.ts'
import { LayerBench, treeOf } from '../../../support/layers.ts'
import { missing, titled } from '../../../support/needs.ts'
import { file, folder, link, makeTar, symlink } from '../../../support/tar.ts'

const reason = missing('busybox')
const capability = Buffer.from('0100000200c00000000000000000000000000000', 'hex')

describe.skipIf(reason)(titled('a layer is unpacked', reason), () => {
  it('with owners, modes, times, attributes and kinds as its tar has them', async () => {
    using bench = new LayerBench()
    const mtimeNs = 1_600_000_000_123_456_789n
    const unpacked = await bench.add(
      makeTar([
        folder('./', { mode: 0o750, uid: 3, gid: 4 }),
        folder('etc', { mode: 0o3777, uid: 1, gid: 2, mtimeNs }),
        file('etc/suid', 'hello', { mode: 0o4755, uid: 70_000, gid: 5, mtimeNs }),
        file('etc/ping', 'x', {
          mode: 0o755,
          uid: 9,
          attributes: new Map([['security.capability', capability]]),
        }),
        link('etc/again', './etc/suid'),
        symlink('etc/out', '/etc/../../shadow'),
        { type: 'char', name: 'etc/null', mode: 0o666, major: 1, minor: 3 },
        { type: 'block', name: 'etc/disk', mode: 0o640, major: 259, minor: 1000 },
        { type: 'fifo', name: 'etc/fifo', mode: 0o622, uid: 7 },
        file('sp\xe9cial/\xff', 'bytes'),
      ]),
    )
    expect(unpacked).toEqual({ size: 11, entries: 10 })
    const stat = (path: string) => lstatSync(bench.path('0', path), { bigint: true })
    expect(stat('')).toMatchObject({ uid: 3n, gid: 4n, mode: 0o40750n })
    expect(stat('etc')).toMatchObject({ uid: 1n, gid: 2n, mode: 0o43777n, mtimeNs })
    expect(stat('etc/suid')).toMatchObject({ uid: 70_000n, gid: 5n, mode: 0o104755n, mtimeNs, nlink: 2n })
    expect(stat('etc/again').ino).toBe(stat('etc/suid').ino)
    expect(stat('etc/null')).toMatchObject({ mode: 0o20666n, rdev: 0x103n })
    expect(stat('etc/disk').mode).toBe(0o60640n)
    const shown = execFileSync('stat', ['-c', '%t:%T', bench.path('0', 'etc/disk')])
    expect(shown.toString().trim()).toBe('103:3e8')
    expect(stat('etc/fifo')).toMatchObject({ mode: 0o10622n, uid: 7n })
    expect(stat('etc/out').isSymbolicLink()).toBe(true)
    const etc = openAt(AT_FDCWD, bench.path('0', 'etc'), 0)
    expect(attributeAt(etc, 'ping', 'security.capability')).toEqual(capability)
    const names = readdirSync(bench.path('0'), { encoding: 'latin1' })
    expect(names).toContain('sp\xe9cial')
  })

  it.each([
    ['gzip', gzipSync],
    ['zstd', (tar: Buffer) => zstdCompressSync(tar)],
  ])('when packed with %s', async (_, pack) => {
    using bench = new LayerBench()
    const tar = makeTar([file('a', Buffer.alloc(3_000_000, 'abc'))])
    await bench.add(tar, {}, pack(tar))
    expect(statSync(bench.path('0', 'a')).size).toBe(3_000_000)
  })

  it('with long names and sparse files as GNU tar writes them', async () => {
    using bench = new LayerBench()
    const script = `mkdir in && cd in && mkdir -p ${'d'.repeat(200)}/${'e'.repeat(200)}
      echo long > ${'d'.repeat(200)}/${'e'.repeat(200)}/f
      dd if=/dev/zero of=holes bs=1 count=1 seek=50M 2>/dev/null; printf end >> holes
      tar --sparse -cf ../t.tar .`
    execFileSync('sh', ['-ec', script], { cwd: bench.folder })
    await bench.add(readFileSync(bench.path('t.tar')))
    const holes = statSync(bench.path('0', 'holes'))
    expect(holes.size).toBe(50 * 2 ** 20 + 4)
    expect(holes.blocks * 512).toBeLessThan(1_000_000)
    expect(readFileSync(bench.path('0', 'd'.repeat(200), 'e'.repeat(200), 'f'), 'utf8')).toBe('long\n')
  })

  it('so that the last of several entries of one name counts', async () => {
    using bench = new LayerBench()
    await bench.add(
      makeTar([
        file('a', 'old'),
        folder('b'),
        symlink('c', 'a'),
        file('d', 'x'),
        file('a', 'new'),
        file('b', 'file now'),
        file('c', 'no link now'),
        folder('d'),
        file('d/e', 'y'),
        folder('d', { mode: 0o700 }),
      ]),
    )
    expect(treeOf(bench.path('0'))).toEqual({ a: 'new', b: 'file now', c: 'no link now', d: 'd', 'd/e': 'y' })
    expect(statSync(bench.path('0', 'd')).mode & 0o777).toBe(0o700)
  })
})

describe.skipIf(reason)(titled('layers over one another', reason), () => {
  it('hide, remove and replace as their whiteouts say', async () => {
    using bench = new LayerBench()
    await bench.add(
      makeTar([
        folder('keep'),
        file('keep/a', 'a'),
        file('keep/b', 'b'),
        folder('gone'),
        file('gone/x', 'x'),
        folder('opaque'),
        file('opaque/old', 'old'),
        folder('anew'),
        file('anew/old', 'old'),
        file('later', 'old'),
        folder('to-file'),
        file('to-file/x', 'x'),
        file('to-folder', 'x'),
      ]),
    )
    await bench.add(
      makeTar([
        file('keep/.wh.a'),
        file('.wh.gone'),
        folder('opaque'),
        file('opaque/.wh..wh..opq'),
        file('opaque/.wh.old'),
        file('opaque/new', 'new'),
        // A folder removed and made anew, the removal first and last.
        file('.wh.anew'),
        folder('anew'),
        file('anew/new', 'new'),
        file('later', 'new'),
        file('.wh.later'),
        file('to-file', 'file'),
        folder('to-folder'),
        file('to-folder/y', 'y'),
        file('.wh.never-was'),
        file('.wh..wh.plnk/1.2', 'aufs'),
      ]),
    )
    const expected = {
      anew: 'd',
      'anew/new': 'new',
      keep: 'd',
      'keep/b': 'b',
      later: 'new',
      opaque: 'd',
      'opaque/new': 'new',
      'to-file': 'file',
      'to-folder': 'd',
      'to-folder/y': 'y',
    }
    expect(treeOf(bench.mount())).toEqual(expected)
    expect(treeOf(bench.path('1'))['never-was']).toBeUndefined()
    expect(treeOf(bench.path('1'))['opaque/old']).toBeUndefined()
  })

  it('take folders that a layer does not repeat from the layer below', async () => {
    using bench = new LayerBench()
    const mtimeNs = 1_500_000_000_000_000_000n
    await bench.add(makeTar([folder('.', { mode: 0o711 }), folder('tmp', { mode: 0o1777, uid: 8, mtimeNs })]))
    await bench.add(makeTar([file('tmp/x', 'x'), file('tmp/deep/y', 'y')]))
    expect(lstatSync(bench.path('1', 'tmp'), { bigint: true })).toMatchObject({
      mode: 0o41777n,
      uid: 8n,
      mtimeNs,
    })
    expect(statSync(bench.path('1')).mode & 0o777).toBe(0o711)
    expect(statSync(bench.path('1', 'tmp/deep')).mode & 0o7777).toBe(0o755)
  })

  it('hide all below by an opaque root', async () => {
    using bench = new LayerBench()
    await bench.add(makeTar([file('a', 'a'), folder('b'), file('b/c', 'c')]))
    await bench.add(makeTar([file('.wh..wh..opq'), file('new', 'new'), folder('b')]))
    const tree = treeOf(bench.mount())
    expect(tree).toEqual({ b: 'd', new: 'new' })
  })

  it('mount 120 deep with relative names within one page of options', async () => {
    using bench = new LayerBench()
    for (let i = 0; i < 120; i++) await bench.add(makeTar([file(`f${i}`, String(i)), file('top', String(i))]))
    const tree = treeOf(bench.mount())
    expect(Object.keys(tree)).toHaveLength(121)
    expect(tree.top).toBe('119')
  })
})

describe('times', () => {
  it('before 1970 are kept to the nanosecond', async () => {
    using bench = new LayerBench()
    const fd = openAt(AT_FDCWD, bench.folder, 0)
    setTimesAt(fd, '.', 0n, -1n)
    expect(statSync(bench.folder, { bigint: true }).mtimeNs).toBe(-1n)
  })
})
