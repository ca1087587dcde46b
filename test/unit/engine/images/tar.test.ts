import { execFileSync } from 'node:child_process'
import {
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import * as tarStream from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TarError } from '../../../../src/engine/images/tar/header.ts'
import { decodePax, encodePax } from '../../../../src/engine/images/tar/pax.ts'
import { file, folder, type Item, link, makeTar, readTar, symlink } from '../../../support/tar.ts'

const long = `${'d'.repeat(120)}/${'e'.repeat(120)}/${'f'.repeat(120)}`
const items: Item[] = [
  folder('etc', { uid: 5, gid: 6, mode: 0o1777 }),
  file('etc/passwd', 'root:x:0:0::/root:/bin/sh\n', { mode: 0o4755, mtimeNs: 1_700_000_000_123_456_789n }),
  link('etc/passwd.link', 'etc/passwd'),
  symlink('etc/sym', '../usr/\xfe\xff'),
  file(long, Buffer.alloc(100_000, 7), { uid: 3_000_000, gid: 2 ** 32 - 2 }),
  file('n\xe9', 'x', { mtimeNs: -1_500_000_000n }),
  { type: 'char', name: 'dev/null', mode: 0o666, major: 1, minor: 3 },
  { type: 'block', name: 'dev/sda', mode: 0o660, major: 8, minor: 300 },
  { type: 'fifo', name: 'pipe', mode: 0o600 },
  file('bin/ping', 'elf', {
    attributes: new Map([
      ['security.capability', Buffer.from('0100000200c00000000000000000000000000000', 'hex')],
      ['user.note', Buffer.from('a\nb=\0\xff', 'latin1')],
    ]),
  }),
]

describe('the tar reader and encoder', () => {
  it('bring every field through, whatever the size of the pieces', () => {
    const tar = makeTar(items)
    for (const step of [tar.length, 1, 511, 512, 513, 4096]) {
      const read = readTar(tar, step)
      expect(read).toHaveLength(items.length)
      for (const [i, item] of items.entries()) {
        const { data, name, ...rest } = item
        expect(read[i]).toMatchObject(rest)
        expect(read[i]!.name.replace(/\/$/, '')).toBe(name)
        expect(read[i]!.data).toEqual(Buffer.from(data ?? ''))
      }
    }
  })

  it('write what tar-stream reads', async () => {
    const extract = tarStream.extract()
    const seen: string[] = []
    extract.end(makeTar(items.slice(0, 5)))
    for await (const entry of extract) {
      let size = 0
      for await (const chunk of entry) size += (chunk as Buffer).length
      seen.push(`${entry.header.name}=${size}`)
    }
    expect(seen).toEqual(['etc/=0', 'etc/passwd=26', 'etc/passwd.link=0', 'etc/sym=0', `${long}=100000`])
  })

  it('read what tar-stream writes', async () => {
    const pack = tarStream.pack()
    pack.entry({ name: `ü/${long}`, mtime: new Date(5000) }, 'hello')
    pack.finalize()
    const chunks: Buffer[] = []
    for await (const chunk of pack) chunks.push(chunk as Buffer)
    const [entry] = readTar(Buffer.concat(chunks))
    expect(Buffer.from(entry!.name, 'latin1').toString()).toBe(`ü/${long}`)
    expect(entry!.data.toString()).toBe('hello')
    expect(entry!.mtimeNs).toBe(5_000_000_000n)
  })

  it('keep records of any bytes', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-zA-Z.]{1,20}$/), fc.uint8Array({ maxLength: 300 })),
        (values) => {
          const records = new Map(
            Object.entries(values).map(([k, v]) => [`SCHILY.xattr.${k}`, Buffer.from(v).toString('latin1')]),
          )
          expect(decodePax(encodePax(records))).toEqual(records)
        },
      ),
    )
  })
})

describe('the tar reader on GNU tar', () => {
  let work: string
  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'tsmachine-tar-'))
    mkdirSync(join(work, 'in', 'deep', 'x'.repeat(150)), { recursive: true })
    writeFileSync(join(work, 'in', 'deep', 'x'.repeat(150), 'y'.repeat(150)), 'long')
    symlinkSync('z'.repeat(200), join(work, 'in', 'sym'))
    writeFileSync(join(work, 'in', 'hard1'), 'same')
    linkSync(join(work, 'in', 'hard1'), join(work, 'in', 'hard2'))
    utimesSync(join(work, 'in', 'hard1'), 12345.5, 12345.5)
    const fd = openSync(join(work, 'in', 'holes'), 'w')
    for (let i = 0; i < 30; i++) writeSync(fd, `piece ${i}`, i * 1_000_000)
    closeSync(fd)
    truncateSync(join(work, 'in', 'holes'), 40_000_000)
  })
  afterAll(() => rmSync(work, { recursive: true }))

  const forms = [
    ['gnu', ''],
    ['pax', '0.0'],
    ['pax', '0.1'],
    ['pax', '1.0'],
  ] as const
  it.each(forms)('reads the %s format with sparse version %s', (format, version) => {
    const args = ['--sparse', `--format=${format}`, ...(version ? [`--sparse-version=${version}`] : [])]
    const tar = execFileSync('tar', [...args, '-C', join(work, 'in'), '-cf', '-', '.'], {
      maxBuffer: 1 << 28,
    })
    const read = new Map(readTar(tar, 10_000).map((item) => [item.name, item]))
    const holes = read.get('./holes')!
    expect(holes.isSparse).toBe(true)
    expect(holes.size).toBe(40_000_000)
    expect(tar.length).toBeLessThan(2_000_000)
    expect(holes.data.toString('latin1', 29_000_000, 29_000_008)).toBe('piece 29')
    expect(holes.data.subarray(0, 9).toString()).toBe('piece 0\0\0')
    expect(read.get(`./deep/${'x'.repeat(150)}/${'y'.repeat(150)}`)!.data.toString()).toBe('long')
    expect(read.get('./sym')!.linkName).toBe('z'.repeat(200))
    const hard = [read.get('./hard1')!, read.get('./hard2')!]
    expect(hard.map((h) => h.type).sort()).toEqual(['file', 'link'])
    if (format === 'pax') expect(hard.find((h) => h.type === 'file')!.mtimeNs).toBe(12_345_500_000_000n)
  })

  it.each(['v7', 'oldgnu', 'ustar'])('reads the %s format', (format) => {
    const tar = execFileSync('tar', [`--format=${format}`, '-C', join(work, 'in'), '-cf', '-', 'hard1'])
    expect(readTar(tar)[0]).toMatchObject({ name: 'hard1', type: 'file', size: 4 })
  })
})

describe('a broken tar is refused', () => {
  const whole = makeTar([file('a', 'x'.repeat(2000)), file('b', 'y')])
  it.each([100, 511, 1000, 2048, 2559, 2600])('cut off after %d bytes', (size) => {
    expect(() => readTar(whole.subarray(0, size))).toThrow(TarError)
  })

  it('cut off between a long name and its entry', () => {
    const tar = makeTar([file(long, '')], false)
    expect(() => readTar(tar.subarray(0, tar.length - 512))).toThrow(TarError)
  })

  it('but not for lacking its final blocks', () => {
    expect(readTar(makeTar([file('a', 'x')], false))).toHaveLength(1)
  })

  it('with a wrong checksum', () => {
    const tar = Buffer.from(whole)
    tar[0] = 0x7a
    expect(() => readTar(tar)).toThrow('checksum')
  })

  it('with a negative size', () => {
    const tar = Buffer.from(whole)
    tar.fill(0xff, 124, 136)
    tar.write('        ', 148)
    const sum = tar.subarray(0, 512).reduce((a, b) => a + b, 0)
    tar.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    expect(() => readTar(tar)).toThrow('negative')
  })

  it('never crashes on changed bytes: it reads on or throws a TarError', () => {
    const tar = makeTar(items)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        (changes) => {
          const changed = Buffer.from(tar)
          for (const [at, byte] of changes) changed[at] = byte
          try {
            for (const item of readTar(changed, 3000)) expect(item.size).toBeGreaterThanOrEqual(0)
          } catch (error) {
            const expected = error instanceof TarError || error instanceof RangeError
            expect(expected, String(error)).toBe(true)
          }
        },
      ),
      { numRuns: 300 },
    )
  })
})
