/**
 * Makes an archive for `docker load` out of files of this machine, without any engine: the example's image and
 * those of tests. The same input gives the same bytes, and so the same digests, on every machine: owners are
 * root, times are `created`, and of a file's mode only counts whether it can be executed. Files are streamed.
 */
import { createReadStream, statSync } from 'node:fs'
import { messageOf } from '../../shared/errors.ts'
import type { ImageConfig } from './config.ts'
import { type Digest, digestOf, finishDigest, hexOf, startDigest } from './digest.ts'
import { fail } from './errors.ts'
import { encodeHeader, endOfTar, paddingFor, type TarHeader } from './tar/encode.ts'

interface Owned {
  /** In the image; "/" at the beginning or not. */
  path: string
  /** Permission bits. */
  mode?: number
  uid?: number
  gid?: number
}

/** One entry of a layer. Folders on the way to it need not be listed. */
export type LayerFile =
  | ({ type: 'file'; content: string | Uint8Array } & Owned)
  /** A file of this machine. */
  | ({ type: 'file'; source: string } & Owned)
  | ({ type: 'folder' } & Owned)
  | { type: 'symlink'; path: string; target: string }
  | { type: 'link'; path: string; target: string }

export interface ImageArchiveOptions {
  /** Lowest first. */
  layers: LayerFile[][]
  config: ImageConfig
  /** e.g. "tsmachine/hello:latest" */
  tags: string[]
  /** As Go names it; of this process when left out. */
  architecture?: 'amd64' | 'arm64'
  /** RFC 3339; 1970 when left out. */
  created?: string
}

interface PlannedFile {
  header: Buffer
  size: number
  data: { source: string } | { content: Buffer }
}

/**
 * The archive, piece by piece: `Readable.from(makeImageArchive(...))` is a request's body.
 * @throws E_ARCHIVE_SOURCE for a file that can't be read, or changes while it is
 */
export async function* makeImageArchive(options: ImageArchiveOptions): AsyncGenerator<Buffer> {
  const created = options.created ?? '1970-01-01T00:00:00Z'
  const mtimeNs = BigInt(Date.parse(created)) * 1_000_000n
  const diffIds: Digest[] = []
  const names = options.layers.map((_, i) => `layer-${i}.tar`)
  for (const [i, files] of options.layers.entries()) {
    const planned = planLayer(files, mtimeNs)
    const size = planned.reduce((sum, file) => sum + file.header.length + padded(file.size), endOfTar.length)
    yield outer(names[i]!, size)
    const hash = startDigest()
    for await (const chunk of layerTar(planned)) {
      hash.update(chunk)
      yield chunk
    }
    yield paddingFor(size)
    diffIds.push(finishDigest(hash))
  }
  const config = json({
    architecture: options.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64'),
    os: 'linux',
    created,
    config: options.config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: diffIds.map(() => ({ created, created_by: 'tsmachine' })),
  })
  const configName = `${hexOf(digestOf(config))}.json`
  yield* small(configName, config)
  const tags = options.tags.length > 0 ? options.tags : null
  yield* small('manifest.json', json([{ Config: configName, RepoTags: tags, Layers: names }]))
  yield endOfTar
}

function planLayer(files: LayerFile[], mtimeNs: bigint): PlannedFile[] {
  const byPath = new Map<string, LayerFile>()
  for (const file of files) {
    const path = normal(file.path)
    if (byPath.has(path)) throw fail('E_ARCHIVE_SOURCE', { path, problem: 'it is listed twice' })
    byPath.set(path, file)
  }
  for (const path of [...byPath.keys()]) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      const folder = path.slice(0, at)
      if (!byPath.has(folder)) byPath.set(folder, { type: 'folder', path: folder })
    }
  }
  // Hard links come last: what they point to must be there.
  const order = (path: string) => `${byPath.get(path)!.type === 'link' ? 1 : 0}${path}`
  const paths = [...byPath.keys()].sort((a, b) => (order(a) < order(b) ? -1 : 1))
  return paths.map((path) => planFile(path, byPath.get(path)!, mtimeNs))
}

function normal(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.length === 0 || parts.includes('..')) {
    throw fail('E_ARCHIVE_SOURCE', { path, problem: 'it is no path inside an image' })
  }
  return parts.join('/')
}

function planFile(path: string, file: LayerFile, mtimeNs: bigint): PlannedFile {
  const name = toBytes(path)
  const encode = (header: Omit<TarHeader, 'name'>) => encodeHeader({ ...header, name, mtimeNs })
  if (file.type === 'symlink' || file.type === 'link') {
    const linkName = toBytes(file.type === 'link' ? normal(file.target) : file.target)
    const header = encode({ type: file.type, linkName, mode: file.type === 'link' ? 0o644 : 0o777 })
    return { header, size: 0, data: { content: Buffer.alloc(0) } }
  }
  const { uid = 0, gid = 0 } = file
  if (file.type === 'folder') {
    const header = encode({ type: 'folder', mode: file.mode ?? 0o755, uid, gid })
    return { header, size: 0, data: { content: Buffer.alloc(0) } }
  }
  if ('content' in file) {
    const content = Buffer.from(file.content as string)
    const header = encode({ type: 'file', mode: file.mode ?? 0o644, uid, gid, size: content.length })
    return { header, size: content.length, data: { content } }
  }
  const stat = statSource(file.source)
  const mode = file.mode ?? (stat.mode & 0o111 ? 0o755 : 0o644)
  const header = encode({ type: 'file', mode, uid, gid, size: stat.size })
  return { header, size: stat.size, data: { source: file.source } }
}

function statSource(path: string) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile()) {
    throw fail('E_ARCHIVE_SOURCE', { path, problem: stat ? 'it is no regular file' : 'it is not there' })
  }
  return stat
}

async function* layerTar(planned: PlannedFile[]): AsyncGenerator<Buffer> {
  for (const { header, size, data } of planned) {
    yield header
    if ('content' in data) yield data.content
    else yield* readSource(data.source, size)
    yield paddingFor(size)
  }
  yield endOfTar
}

async function* readSource(path: string, size: number): AsyncGenerator<Buffer> {
  let read = 0
  const refuse = (problem: string, cause?: unknown) => fail('E_ARCHIVE_SOURCE', { path, problem }, cause)
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
      read += (chunk as Buffer).length
      if (read > size) break
      yield chunk as Buffer
    }
  } catch (error) {
    throw refuse(messageOf(error), error)
  }
  if (read !== size) throw refuse('it changed while it was read')
}

function outer(name: string, size: number): Buffer {
  return encodeHeader({ type: 'file', name, mode: 0o644, size })
}

function* small(name: string, data: Buffer): Generator<Buffer> {
  yield outer(name, data.length)
  yield data
  yield paddingFor(data.length)
}

function padded(size: number): number {
  return size + paddingFor(size).length
}

function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}
