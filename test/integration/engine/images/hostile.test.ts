import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { digestOf } from '../../../../src/engine/images/digest.ts'
import { defaultLimits, type UnpackLimits } from '../../../../src/engine/images/layers/limits.ts'
import { unpackLayer } from '../../../../src/engine/images/layers/unpack.ts'
import { Failure } from '../../../../src/shared/errors.ts'
import { LayerBench, treeOf } from '../../../support/layers.ts'
import { missing, titled } from '../../../support/needs.ts'
import { file, folder, type Item, link, makeTar, symlink } from '../../../support/tar.ts'

const reason = missing()

/** Unpacks a layer that must be refused; the message of the refusal. Nothing may be left or touched. */
async function refusal(
  items: Item[] | Buffer,
  limits: Partial<UnpackLimits> = {},
  packed?: Buffer,
): Promise<string> {
  using bench = new LayerBench()
  const outside = bench.path('outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'victim'), 'untouched')
  const tar = Buffer.isBuffer(items) ? items : makeTar(items)
  try {
    await bench.add(tar, limits, packed)
  } catch (error) {
    expect(error).toBeInstanceOf(Failure)
    const failure = error as Failure
    expect(failure.message).toContain(digestOf(tar))
    expect(failure.message).not.toContain('\n')
    expect(readdirSync(bench.folder).sort()).toEqual(['blob-0', 'outside'])
    expect(treeOf(outside)).toEqual({ victim: 'untouched' })
    return `${failure.code} ${failure.message.replace(digestOf(tar), 'L')}`
  }
  throw new Error(`was not refused: ${JSON.stringify(treeOf(bench.path('0')))}`)
}

describe.skipIf(reason)(titled('a hostile layer is refused', reason), () => {
  const cases: [title: string, items: Item[], message: string][] = [
    ['a path with ..', [file('../outside/victim', 'x')], '"../outside/victim": its name leads out'],
    ['.. in the middle', [folder('a'), file('a/../../outside/victim', 'x')], 'its name leads out'],
    ['an absolute path with ..', [file('/../outside/victim', 'x')], 'its name leads out'],
    ['a hard link with ..', [link('a', '../outside/victim')], 'its name leads out'],
    [
      'a hard link to the host',
      [link('a', '/etc/passwd')],
      'a hard link to "/etc/passwd", which the layer does not',
    ],
    [
      'a hard link through a symbolic link',
      [symlink('s', '../outside'), link('a', 's/victim')],
      'a hard link to "s/victim", which the layer does not have',
    ],
    ['a hard link to itself', [file('a'), link('a', './a')], 'which is no other file'],
    ['a hard link to a folder', [folder('d'), link('a', 'd')], 'which is a folder'],
    ['a whiteout of ..', [file('.wh...')], 'it would remove ".."'],
    ['a whiteout of nothing', [file('a/.wh.')], 'it would remove nothing'],
    [
      'an entry below a whiteout',
      [file('.wh.a'), file('a/b')],
      '"a/b": something on the way to it is no folder',
    ],
    ['an entry in a whiteout folder', [file('.wh.a/b')], 'marks a removal'],
    ['an entry below a file', [file('a'), file('a/b')], 'something on the way to it is no folder'],
    [
      'a folder that is swapped for a symbolic link',
      [folder('d'), file('d/x'), symlink('d', '/outside'), file('d/victim')],
      '"d": it would replace a folder that has entries',
    ],
    ['a root that is no folder', [symlink('./', '/etc')], 'the root must be a folder'],
    [
      'a loop of symbolic links',
      [symlink('a', 'b'), symlink('b', 'a'), file('a/x')],
      'too many symbolic links',
    ],
    [
      'a way through a link to nothing',
      [symlink('a', '/nowhere'), file('a/x')],
      'a symbolic link to nothing',
    ],
    ['a name over 255 bytes', [file('n'.repeat(256))], 'its name is too long'],
    [
      'orders to overlayfs',
      [folder('d', { attributes: new Map([['trusted.overlay.redirect', Buffer.from('/x')]]) })],
      'is for overlayfs alone',
    ],
    ['an owner out of range', [file('a', '', { uid: 2 ** 33 })], 'the owner 8589934592 is out of range'],
    ['a device out of range', [{ type: 'char', name: 'a', major: 2_000_000, minor: 0 }], 'no such entry'],
  ]
  it.each(cases)('%s', async (_, items, message) => {
    const text = await refusal(items)
    expect(text).toMatch(/^E_LAYER_ENTRY layer L: entry "/)
    expect(text).toContain(message)
  })

  it('with too many entries, bytes, or bytes for its size', async () => {
    const many = Array.from({ length: 11 }, (_, i) => file(`f${i}`))
    expect(await refusal(many, { entries: 10 })).toContain('more than 10 entries')
    const big = [file('a', Buffer.alloc(2000))]
    expect(await refusal(big, { bytes: 1999 })).toContain('more than 2kB in all')
    const bomb = makeTar([file('zeros', Buffer.alloc(20_000_000))])
    for (const packed of [gzipSync(bomb), zstdCompressSync(bomb)]) {
      const text = await refusal(bomb, { ratio: 100, ratioFromBytes: 5_000_000 }, packed)
      expect(text).toContain('entry "zeros": more than 100 times its packed size')
    }
  })

  it('cut off, at any place', async () => {
    const tar = makeTar([folder('d'), file('d/a', Buffer.alloc(5000, 1)), file('b', 'x')], false)
    for (const end of [100, 1000, 1600, 6000, tar.length - 512]) {
      expect(await refusal(tar.subarray(0, end))).toMatch(/^E_LAYER layer L: its tar is damaged/)
    }
    const gz = gzipSync(tar)
    expect(await refusal(tar, {}, gz.subarray(0, gz.length - 10))).toMatch(
      /^E_LAYER .*cannot be decompressed/,
    )
    const zstd = zstdCompressSync(tar)
    expect(await refusal(tar, {}, zstd.subarray(0, 40))).toMatch(/^E_LAYER .*cannot be decompressed/)
  })

  it('whose bytes are not what its diff id says', async () => {
    using bench = new LayerBench()
    const blob = bench.path('blob')
    writeFileSync(blob, gzipSync(makeTar([file('a', 'other')])))
    const job = { blob, blobDigest: digestOf('?'), diffId: digestOf('!'), folder: bench.path('0'), lower: [] }
    await expect(unpackLayer({ ...job, limits: defaultLimits })).rejects.toMatchObject({ code: 'E_DIGEST' })
    expect(existsSync(job.folder)).toBe(false)
  })

  it('packed in a way that is not supported', async () => {
    const xz = Buffer.from('fd377a585a0000000000', 'hex')
    expect(await refusal(makeTar([]), {}, xz)).toContain('it is compressed with xz')
  })
})

describe.skipIf(reason)(titled('what leads out elsewhere stays inside', reason), () => {
  it('absolute names, and symbolic links that are written through', async () => {
    using bench = new LayerBench()
    mkdirSync(bench.path('outside'))
    await bench.add(
      makeTar([
        file('/outside/a', 'absolute'),
        symlink('up', '../../../../outside'),
        file('up/b', 'through a relative link'),
        symlink('abs', bench.path('outside')),
        folder(bench.path('outside')),
        file('abs/c', 'through an absolute link'),
        symlink('final', '/outside/a'),
        file('final', 'replaced, not followed'),
      ]),
    )
    expect(readdirSync(bench.path('outside'))).toEqual([])
    const tree = treeOf(bench.path('0'))
    expect(tree['outside/a']).toBe('absolute')
    expect(tree['outside/b']).toBe('through a relative link')
    expect(tree[`${bench.path('outside').slice(1)}/c`]).toBe('through an absolute link')
    expect(tree.final).toBe('replaced, not followed')
  })

  it('symbolic links of the layers below, when folders are taken over from there', async () => {
    using bench = new LayerBench()
    mkdirSync(bench.path('outside'))
    symlinkSync('/etc', bench.path('outside/etc'))
    await bench.add(makeTar([symlink('etc', '/etc'), symlink('up', '../../outside')]))
    await bench.add(makeTar([file('etc/x', 'x'), file('up/y', 'y'), file('up/.wh.passwd')]))
    expect(treeOf(bench.path('1'))).toEqual({ etc: 'd', 'etc/x': 'x', up: 'd', 'up/y': 'y' })
    expect(existsSync('/etc/x')).toBe(false)
  })

  it('whatever a layer consists of: random entries touch nothing outside', async () => {
    using bench = new LayerBench()
    mkdirSync(bench.path('outside'))
    writeFileSync(bench.path('outside/victim'), 'untouched')
    const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh..wh..opq', 'outside', 'victim')
    const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'))
    const target = fc.oneof(
      name,
      fc.constantFrom(bench.folder, '../outside', '../../outside', '/outside', '.'),
    )
    const item = fc.record({
      type: fc.constantFrom<Item['type']>('file', 'folder', 'symlink', 'symlink', 'link', 'fifo'),
      name,
      linkName: target,
      data: fc.constantFrom('', 'evil'),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 12 }), async (items) => {
        const tar = makeTar(items.map((i) => (i.type === 'file' ? i : { ...i, data: '' })))
        using inner = new LayerBench()
        symlinkSync(bench.path('outside'), inner.path('outside'))
        try {
          await inner.add(tar)
        } catch (error) {
          expect((error as Failure).code).toMatch(/^E_LAYER/)
          expect(existsSync(inner.path('0'))).toBe(false)
        }
        expect(
          readdirSync(inner.folder)
            .filter((n) => n !== '0')
            .sort(),
        ).toEqual(['blob-0', 'outside'])
        expect(readdirSync(bench.path('outside'))).toEqual(['victim'])
        expect(readFileSync(bench.path('outside/victim'), 'utf8')).toBe('untouched')
      }),
      { numRuns: 300 },
    )
  })
})
