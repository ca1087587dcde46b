/**
 * A layer's blob -> a folder that overlayfs can mount. Runs on a thread of its own (unpack-thread.ts): it
 * works with synchronous calls, a chunk at a time, and holds no more than that in memory.
 */
import { closeSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from 'node:fs'
import { errnoOf, messageOf } from '../../../shared/errors.ts'
import { type Compression, type Decompressed, decompress, detectCompression } from '../compression.ts'
import { type Digest, finishDigest, startDigest } from '../digest.ts'
import { fail } from '../errors.ts'
import { TarError } from '../tar/header.ts'
import { TarReader } from '../tar/reader.ts'
import { LayerApplier } from './apply.ts'
import { type UnpackLimits, UnpackMeter } from './limits.ts'
import { displayName, RefusedEntry } from './names.ts'
import { LayerTree } from './tree.ts'

export interface UnpackJob {
  /** File with the layer's tar: plain, gzip or zstd. */
  blob: string
  /** What the blob was found to be when it was stored. */
  blobDigest: Digest
  /** Of the plain tar; it must come to this. */
  diffId: Digest
  /** Where to unpack; it must not exist yet. */
  folder: string
  /** Folders of the layers below, highest first. */
  lower: string[]
  limits: UnpackLimits
}

export interface Unpacked {
  /** Bytes of the layer's files. */
  size: number
  entries: number
}

/** Called now and then with how much of the blob has been read. */
export type UnpackProgress = (current: number, total: number) => void

const chunkSize = 256 * 1024

/**
 * Unpacks a layer. On failure nothing of the folder is left.
 * @throws E_LAYER_ENTRY, E_LAYER, E_DIGEST, E_STORE_FULL, E_STORE_IO
 */
export async function unpackLayer(job: UnpackJob, onProgress: UnpackProgress = () => {}): Promise<Unpacked> {
  const meter = new UnpackMeter(job.limits)
  let applier: LayerApplier | undefined
  let tree: LayerTree | undefined
  try {
    mkdirSync(job.folder, { mode: 0o755 })
    tree = new LayerTree(job.folder, job.lower)
    tree.inheritRoot()
    applier = new LayerApplier(tree, meter)
    await applyBlob(job, applier, meter, onProgress)
    return { size: meter.bytes, entries: meter.entries }
  } catch (error) {
    const failure = toFailure(error, job, applier?.current)
    applier?.close()
    tree?.close()
    tree = undefined
    rmSync(job.folder, { recursive: true, force: true })
    throw failure
  } finally {
    tree?.close()
  }
}

async function applyBlob(
  job: UnpackJob,
  applier: LayerApplier,
  meter: UnpackMeter,
  onProgress: UnpackProgress,
): Promise<void> {
  const input = new BlobInput(job.blob)
  try {
    const { compression, data } = await input.open()
    refuseUnknown(compression, job)
    // A plain tar's own digest is its diff id, and it was checked when the blob was stored.
    const hash = compression === 'none' && job.blobDigest === job.diffId ? undefined : startDigest()
    const tar = new TarReader()
    let unpacked = 0
    for await (const chunk of data) {
      hash?.update(chunk)
      unpacked += chunk.length
      meter.checkRatio(input.read, unpacked)
      for (const event of tar.feed(chunk)) applier.take(event)
      onProgress(input.read, input.size)
    }
    tar.finish()
    applier.finish()
    const got = hash ? finishDigest(hash) : job.blobDigest
    if (got !== job.diffId) {
      throw fail('E_DIGEST', { what: `layer ${job.diffId}`, expected: job.diffId, got })
    }
  } finally {
    input.close()
  }
}

/** A blob's file, and how much of it has been read. */
class BlobInput {
  readonly size: number
  read = 0
  #fd: number

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
    this.size = fstatSync(this.#fd).size
  }

  /** A plain blob is read into one buffer over and over: a chunk is good until the next one is asked for. */
  async open(): Promise<Decompressed> {
    const head = Buffer.alloc(16)
    readSync(this.#fd, head, 0, head.length, 0)
    const isPlain = detectCompression(head) === 'none'
    return isPlain ? { compression: 'none', data: this.#again() } : await decompress(this.#chunks())
  }

  async *#again(): AsyncGenerator<Buffer> {
    const buffer = Buffer.allocUnsafeSlow(chunkSize)
    for (let size = this.#fill(buffer); size > 0; size = this.#fill(buffer)) yield buffer.subarray(0, size)
  }

  async *#chunks(): AsyncGenerator<Buffer> {
    for (;;) {
      const buffer = Buffer.allocUnsafeSlow(chunkSize)
      const size = this.#fill(buffer)
      if (size === 0) return
      yield buffer.subarray(0, size)
    }
  }

  #fill(buffer: Buffer): number {
    const size = readSync(this.#fd, buffer, 0, buffer.length, this.read)
    this.read += size
    return size
  }

  close(): void {
    closeSync(this.#fd)
  }
}

function refuseUnknown(compression: Compression, job: UnpackJob): void {
  if (compression !== 'bzip2' && compression !== 'xz') return
  throw fail('E_LAYER', {
    layer: job.diffId,
    problem: `it is compressed with ${compression}; only gzip and zstd are supported`,
  })
}

/** Every error of unpacking names the layer, and the entry at work where there is one. */
function toFailure(error: unknown, job: UnpackJob, entry: string | undefined): unknown {
  const layer = job.diffId
  const code = errnoOf(error)
  if (error instanceof RefusedEntry) return refusal(layer, entry, error.message, error)
  if (error instanceof TarError)
    return fail('E_LAYER', { layer, problem: `its tar is damaged: ${error.message}` })
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
    return fail('E_LAYER', { layer, problem: `it cannot be decompressed: ${messageOf(error)}` }, error)
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') return fail('E_STORE_FULL', { folder: job.folder }, error)
  const problem = code && problemsOfEntries[code]
  if (problem) return refusal(layer, entry, problem, error)
  if (code && !code.startsWith('E_')) {
    return fail(
      'E_STORE_IO',
      { what: `layer ${layer}, entry ${displayName(entry ?? '')}`, errno: messageOf(error) },
      error,
    )
  }
  return error
}

function refusal(layer: string, entry: string | undefined, problem: string, cause: unknown) {
  return fail('E_LAYER_ENTRY', { layer, entry: displayName(entry ?? ''), problem }, cause)
}

/** What the kernel answers to names that no honest layer has. */
const problemsOfEntries: Record<string, string> = {
  ENOTDIR: 'something on the way to it is no folder',
  ENOENT: 'the way to it leads nowhere',
  ELOOP: 'too many symbolic links on the way to it',
  ENAMETOOLONG: 'its name is too long',
  EXDEV: 'the way to it leaves the layer',
  EMLINK: 'too many hard links to one file',
  EINVAL: 'the file system takes no such entry',
  EISDIR: 'it is a folder',
}
