import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  dropPartialImages,
  ensureImage,
  findDigest,
  imageCache,
  parseImage,
} from '../../../../../src/machine/drivers/vm/images.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const hex = 'a'.repeat(64)

describe('an image option', () => {
  test('is a known name, for the architecture', () => {
    expect(parseImage('debian-12', undefined, 'arm64')).toEqual({
      from: expect.stringMatching(/^https:\/\/.*debian-12-genericcloud-arm64\.qcow2$/),
      isFile: false,
      sums: expect.stringMatching(/^https:\/\/.*\/latest\/SHA512SUMS$/),
    })
    expect(parseImage('ubuntu-24.04', undefined, 'x64').from).toMatch(/amd64/)
  })

  test('is a file, whose digest may be given', () => {
    expect(parseImage('/x/y.img', undefined, 'x64')).toEqual({ from: '/x/y.img', isFile: true })
    expect(parseImage('/x/y.img', `sha256:${hex}`, 'x64').digest).toEqual({ algorithm: 'sha256', hex })
  })

  test('is a URL with a digest or a list of them', () => {
    const url = 'https://example.org/a.img'
    expect(parseImage(url, `SHA256:${hex.toUpperCase()}`, 'x64').digest).toEqual({ algorithm: 'sha256', hex })
    expect(parseImage(url, 'https://example.org/sums', 'x64').sums).toBe('https://example.org/sums')
    for (const checksum of [undefined, 'sha256:abc', 'md5:1', hex]) {
      expect(() => parseImage(url, checksum, 'x64')).toThrow(expect.objectContaining({ code: 'E_IMAGE' }))
    }
  })
})

test('a list of digests has the two forms of its writers', () => {
  const sums = `${hex}  other.img\n${'b'.repeat(64)} *a.img\n${'c'.repeat(128)}  ./b.img\n`
  expect(findDigest(sums, 'a.img')).toEqual({ algorithm: 'sha256', hex: 'b'.repeat(64) })
  expect(findDigest(sums, 'b.img')).toEqual({ algorithm: 'sha512', hex: 'c'.repeat(128) })
  expect(findDigest(sums, 'c.img')).toBeUndefined()
})

describe('the cache', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-images-'))
  const run = { signal: new AbortController().signal, progress: () => {} }
  const body = 'an image'
  const files: Record<string, string> = {
    '/a.img': body,
    '/SUMS': `${sha256(body)}  a.img\n`,
    '/WRONG': `${sha256('other')}  a.img\n`,
  }
  const asked: string[] = []
  let server: Server
  let base: string
  let storage: string
  beforeAll(async () => {
    server = createServer((request, response) => {
      asked.push(request.url!)
      const text = files[request.url!]
      response.writeHead(text === undefined ? 404 : 200).end(text)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => {
    asked.length = 0
    storage = mkdtempSync(join(folder, 's'))
  })
  afterAll(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })
  const ensure = (image: string, checksum?: string) =>
    ensureImage(parseImage(image, checksum, 'x64'), imageCache(storage), run)
  const cached = () => readdirSync(join(storage, 'images'))

  test('fetches once, for several at once too', async () => {
    const paths = await Promise.all([1, 2, 3].map(() => ensure(`${base}/a.img`, `${base}/SUMS`)))
    expect(new Set(paths).size).toBe(1)
    expect(readFileSync(paths[0]!, 'utf8')).toBe(body)
    await ensure(`${base}/a.img`, `sha256:${sha256(body)}`)
    expect(asked.filter((path) => path === '/a.img')).toHaveLength(1)
    expect(cached()).toEqual([`sha256-${sha256(body)}`])
  })

  test.each([
    ['another digest', () => [`${base}/a.img`, `${base}/WRONG`], /its sha256 is/],
    ['what is not listed', () => [`${base}/b.img`, `${base}/SUMS`], /doesn't list it/],
    ['what is not there', () => [`${base}/b.img`, `sha256:${hex}`], /answers 404/],
    ['nobody who answers', () => ['http://127.0.0.1:1/x', `sha256:${hex}`], /./],
    ['a missing file', () => [join(storage, 'nope')], /ENOENT/],
    ['a folder', () => [storage], /no file/],
  ])('refuses %s, and keeps nothing', async (_, args, why) => {
    const [image, checksum] = args()
    const ensuring = ensure(image!, checksum)
    await expect(ensuring).rejects.toMatchObject({ code: 'E_IMAGE' })
    await expect(ensuring).rejects.toThrow(why)
    mkdirSync(join(storage, 'images'), { recursive: true })
    expect(cached()).toEqual([])
  })

  test('copies a file, so that what becomes of it later does not matter', async () => {
    const file = join(storage, 'x.img')
    writeFileSync(file, body)
    const path = await ensure(file)
    writeFileSync(file, 'changed')
    expect(readFileSync(path, 'utf8')).toBe(body)
    expect(await ensure(file)).not.toBe(path)
    await expect(ensure(file, `sha256:${hex}`)).rejects.toMatchObject({ code: 'E_IMAGE' })
  })

  test('loses what a killed download left, and nothing else', async () => {
    await ensure(`${base}/a.img`, `${base}/SUMS`)
    writeFileSync(join(storage, 'images', `sha256-${hex}.partial`), 'half')
    await dropPartialImages(imageCache(storage))
    expect(cached()).toEqual([`sha256-${sha256(body)}`])
  })
})
