/**
 * Cloud images: where the known ones are, and the cache of all, named by digest so that an image can't change
 * under the machines whose disks build on it.
 */
import { createHash } from 'node:crypto'
import { constants, createReadStream, createWriteStream, existsSync } from 'node:fs'
import { copyFile, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errnoOf, isFailure, messageOf } from '../../../shared/errors.ts'
import { makePrivateFolder, syncFolder } from '../../../shared/files.ts'
import { formatBytes } from '../../../shared/units.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import { withLock } from '../../store/lock.ts'

export type ImageArch = 'x64' | 'arm64'

/** Which devices an image's kernel must know: those of clouds, or those of ordinary computers too. */
export type ImageFlavour = 'virtio' | 'any'

interface KnownImage {
  url: (debianArch: string, flavour: ImageFlavour) => string
  sums: string
}

/** Images by short name; their digests come from the list beside them, as they are rebuilt every few days. */
const knownImages: Record<string, KnownImage> = {
  'debian-13': { url: debianUrl('trixie', '13'), sums: 'SHA512SUMS' },
  'debian-12': { url: debianUrl('bookworm', '12'), sums: 'SHA512SUMS' },
  'ubuntu-24.04': {
    url: (arch) =>
      `https://cloud-images.ubuntu.com/releases/noble/release/ubuntu-24.04-server-cloudimg-${arch}.img`,
    sums: 'SHA256SUMS',
  },
}

/** Debian's genericcloud has a kernel without SATA and without VirtualBox's shared folders. */
function debianUrl(release: string, version: string): KnownImage['url'] {
  return (arch, flavour) => {
    const kind = flavour === 'virtio' ? 'genericcloud' : 'generic'
    return `https://cloud.debian.org/images/cloud/${release}/latest/debian-${version}-${kind}-${arch}.qcow2`
  }
}

export const defaultImage = 'debian-13'

/** Nothing that is no image is fetched to its end. */
const maxImageBytes = 64 * 1024 ** 3

export interface Digest {
  algorithm: 'sha256' | 'sha512'
  hex: string
}

export interface ImageSource {
  /** A file's path, or a URL. */
  from: string
  isFile: boolean
  /** Known beforehand; undefined for a file, and where it stands in `sums`. */
  digest?: Digest
  /** URL of a list of digests. */
  sums?: string
}

/**
 * What an image option and its checksum mean. Pure, but for a file's absolute path.
 * @param checksum "sha256:HEX", "sha512:HEX", or the URL of a list as sha256sum writes it
 * @throws E_IMAGE
 */
export function parseImage(
  image: string,
  checksum: string | undefined,
  arch: ImageArch,
  flavour: ImageFlavour = 'virtio',
): ImageSource {
  const known = Object.hasOwn(knownImages, image) ? knownImages[image] : undefined
  const from = known ? known.url(arch === 'x64' ? 'amd64' : 'arm64', flavour) : image
  const isUrl = /^https?:\/\//.test(from)
  const digest = checksum === undefined ? undefined : parseDigest(checksum)
  if (checksum !== undefined && !digest && !/^https?:\/\//.test(checksum)) {
    throw fail('E_IMAGE', { image, why: `"${checksum}" is no sha256:HEX, no sha512:HEX and no URL` })
  }
  if (!isUrl) return { from: resolve(from), isFile: true, ...(digest && { digest }) }
  if (digest) return { from, isFile: false, digest }
  const sums = checksum ?? (known && new URL(known.sums, from).href)
  if (sums === undefined) {
    throw fail('E_IMAGE', { image, why: 'what comes from the network needs a checksum' })
  }
  return { from, isFile: false, sums }
}

function parseDigest(text: string): Digest | undefined {
  const found = /^(sha256):([0-9a-f]{64})$|^(sha512):([0-9a-f]{128})$/i.exec(text)
  if (!found) return undefined
  return {
    algorithm: (found[1] ?? found[3])!.toLowerCase() as Digest['algorithm'],
    hex: (found[2] ?? found[4])!.toLowerCase(),
  }
}

/** The digest of a file in a list as sha256sum or sha512sum writes it, or undefined. */
export function findDigest(sums: string, file: string): Digest | undefined {
  for (const line of sums.split('\n')) {
    const [, hex, name] = /^([0-9a-f]{64}|[0-9a-f]{128}) [ *](?:\.\/)?(\S+)\s*$/i.exec(line) ?? []
    if (name === file) return { algorithm: hex!.length === 64 ? 'sha256' : 'sha512', hex: hex!.toLowerCase() }
  }
  return undefined
}

export interface ImageCache {
  /** Folder of the images. */
  folder: string
  /** Folder of locks. */
  locks: string
}

export function imageCache(storage: string): ImageCache {
  return { folder: join(storage, 'images'), locks: join(storage, 'locks') }
}

/**
 * The image's path in the cache; fetched or copied there first where it isn't. Of several at once one fetches.
 * @throws E_IMAGE where it can't be had or is another than the checksum says
 */
export async function ensureImage(source: ImageSource, cache: ImageCache, run: StepRun): Promise<string> {
  const digest = source.isFile
    ? await digestOfFile(source, run)
    : (source.digest ?? (await listed(source, run)))
  const path = join(cache.folder, `${digest.algorithm}-${digest.hex}`)
  if (existsSync(path)) return path
  await makePrivateFolder(cache.folder)
  const lock = { what: `the image ${source.from}`, timeoutMs: 30 * 60_000 }
  return withLock(lockOf(path, cache), lock, async () => {
    if (existsSync(path)) return path
    const partial = `${path}.partial`
    try {
      if (source.isFile) await copyFile(source.from, partial, constants.COPYFILE_FICLONE)
      else await download(source.from, partial, digest, run)
      if (source.isFile) await requireDigest(partial, digest, source, run)
      await sync(partial)
      await rename(partial, path)
      await syncFolder(cache.folder)
    } finally {
      await rm(partial, { force: true })
    }
    return path
  })
}

/** Removes what downloads that were killed have left; one that goes on is left alone. */
export async function dropPartialImages(cache: ImageCache): Promise<void> {
  if (!existsSync(cache.folder)) return
  for (const name of (await readdir(cache.folder)).filter((file) => file.endsWith('.partial'))) {
    const path = join(cache.folder, name)
    try {
      const lock = { what: name, timeoutMs: 0 }
      await withLock(lockOf(path.replace(/\.partial$/, ''), cache), lock, () => rm(path, { force: true }))
    } catch (error) {
      if (!isFailure(error, 'E_MACHINE_BUSY')) throw error
    }
  }
}

function lockOf(path: string, cache: ImageCache): string {
  return join(cache.locks, `image-${basename(path).split('-')[1]!.slice(0, 32)}`)
}

async function listed({ from, sums }: ImageSource, { signal }: StepRun): Promise<Digest> {
  const answer = await get(sums!, signal)
  const text = (await answer.text()).slice(0, 1024 * 1024)
  const digest = findDigest(text, basename(new URL(from).pathname))
  if (!digest) throw fail('E_IMAGE', { image: from, why: `${sums} doesn't list it` })
  return digest
}

async function download(
  url: string,
  to: string,
  digest: Digest,
  { signal, progress }: StepRun,
): Promise<void> {
  const answer = await get(url, signal)
  const total = Number(answer.headers.get('content-length') ?? 0)
  const hash = createHash(digest.algorithm)
  let bytes = 0
  let shownAt = 0
  const meter = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      bytes += chunk.length
      if (bytes > maxImageBytes) return done(fail('E_IMAGE', { image: url, why: 'it has no end' }))
      if (performance.now() - shownAt > 200) {
        shownAt = performance.now()
        progress(total ? `${formatBytes(bytes)} of ${formatBytes(total)}` : formatBytes(bytes))
      }
      done(undefined, chunk)
    },
  })
  try {
    await pipeline(Readable.fromWeb(answer.body!), meter, createWriteStream(to, { mode: 0o600 }), { signal })
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw nameTrouble(url, error)
  }
  const hex = hash.digest('hex')
  if (hex !== digest.hex) throw wrongDigest(url, digest, hex)
}

async function get(url: string, signal: AbortSignal) {
  try {
    const answer = await fetch(url, { signal })
    if (!answer.ok || !answer.body) throw new Error(`${url} answers ${answer.status}`)
    return answer
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw nameTrouble(url, error)
  }
}

/** fetch says "fetch failed", and why in the cause. */
function nameTrouble(image: string, error: unknown): Error {
  if (isFailure(error) || errnoOf(error) === 'ENOSPC') return error as Error
  const cause = (error as Error).cause
  return fail('E_IMAGE', { image, why: messageOf(cause ?? error) }, error)
}

async function digestOfFile({ from, digest }: ImageSource, { signal }: StepRun): Promise<Digest> {
  const info = await stat(from).catch((error: unknown) => {
    throw fail('E_IMAGE', { image: from, why: messageOf(error) }, error)
  })
  if (!info.isFile()) throw fail('E_IMAGE', { image: from, why: 'it is no file' })
  const algorithm = digest?.algorithm ?? 'sha256'
  const hex = await hashFile(from, algorithm, signal)
  if (digest && digest.hex !== hex) throw wrongDigest(from, digest, hex)
  return { algorithm, hex }
}

/** What was copied may have changed since it was read. */
async function requireDigest(path: string, digest: Digest, { from }: ImageSource, { signal }: StepRun) {
  const hex = await hashFile(path, digest.algorithm, signal)
  if (hex !== digest.hex) throw wrongDigest(from, digest, hex)
}

async function hashFile(path: string, algorithm: string, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash, { signal })
  return hash.digest('hex')
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

function wrongDigest(image: string, { algorithm, hex }: Digest, got: string): Error {
  return fail('E_IMAGE', { image, why: `its ${algorithm} is ${got}, not ${hex}` })
}
