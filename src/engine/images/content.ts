/**
 * The content store: blobs by digest, each one file under its hex name. A blob is there whole or not at all:
 * it is written aside, checked, flushed, and only then gets its name. Who needs which blob is not known here.
 */
import {
  closeSync,
  createReadStream,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { syncFolder } from '../../shared/files.ts'
import { newHexId } from '../../shared/ids.ts'
import { type Digest, digestOf, finishDigest, hexOf, isDigest, startDigest } from './digest.ts'
import { fail } from './errors.ts'

export class ContentStore {
  readonly folder: string
  #blobs: string
  #ingest: string

  private constructor(folder: string) {
    this.folder = folder
    this.#blobs = join(folder, 'blobs', 'sha256')
    this.#ingest = join(folder, 'ingest')
  }

  /** Opens the store, makes it where it is missing, and sweeps what a crash left of blobs that came in. */
  static async open(folder: string): Promise<ContentStore> {
    const store = new ContentStore(folder)
    rmSync(store.#ingest, { recursive: true, force: true })
    for (const made of [store.#blobs, store.#ingest]) await mkdir(made, { recursive: true, mode: 0o700 })
    return store
  }

  has(digest: Digest): boolean {
    return statSync(this.pathOf(digest), { throwIfNoEntry: false }) !== undefined
  }

  /** Where the blob's file is, whether or not it is there. */
  pathOf(digest: Digest): string {
    return join(this.#blobs, hexOf(digest))
  }

  /** @throws E_NO_SUCH_BLOB */
  sizeOf(digest: Digest): number {
    const stat = statSync(this.pathOf(digest), { throwIfNoEntry: false })
    if (!stat) throw fail('E_NO_SUCH_BLOB', { digest })
    return stat.size
  }

  /** The blob's bytes as a stream. */
  read(digest: Digest): Readable {
    return createReadStream(this.pathOf(digest), { highWaterMark: 1 << 20 })
  }

  /** Its first bytes, enough to tell how it is packed. */
  readHead(digest: Digest): Buffer {
    const head = Buffer.alloc(8)
    const fd = openSync(this.pathOf(digest), 'r')
    try {
      return head.subarray(0, readSync(fd, head, 0, head.length, 0))
    } finally {
      closeSync(fd)
    }
  }

  /**
   * A small blob's bytes, checked against its name: configurations and manifests.
   * @throws E_NO_SUCH_BLOB, E_DIGEST
   */
  readSmall(digest: Digest): Buffer {
    let data: Buffer
    try {
      data = readFileSync(this.pathOf(digest))
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw fail('E_NO_SUCH_BLOB', { digest }, error)
      throw storeFailure(error, `blob ${digest}`, this.folder)
    }
    const got = digestOf(data)
    if (got !== digest) throw fail('E_DIGEST', { what: `blob ${digest}`, expected: digest, got })
    return data
  }

  /** Begins a blob whose bytes come in piece by piece. Ends with `discard`, after a `commit` if all is well. */
  async begin(): Promise<Ingest> {
    return await Ingest.open(join(this.#ingest, newHexId().slice(0, 16)), this)
  }

  /** Stores bytes that are at hand. */
  async write(data: Buffer): Promise<Digest> {
    const ingest = await this.begin()
    try {
      await ingest.write(data)
      return await ingest.commit()
    } finally {
      await ingest.discard()
    }
  }

  /**
   * Removes blobs: at once they are no longer found, soon after their bytes are free.
   * @returns how many bytes
   */
  async remove(digests: Digest[]): Promise<number> {
    const aside = digests.map((digest) => {
      const path = join(this.#ingest, newHexId().slice(0, 16))
      renameSync(this.pathOf(digest), path)
      return path
    })
    let bytes = 0
    for (const path of aside) {
      bytes += statSync(path).size
      await rm(path)
    }
    return bytes
  }

  list(): Digest[] {
    return readdirSync(this.#blobs)
      .map((name) => `sha256:${name}`)
      .filter(isDigest)
  }
}

/** A blob on its way in: `write` as often as need be, `seal`, `commit`, and in any case `discard`. */
export class Ingest {
  size = 0
  #path: string
  #file: FileHandle | undefined
  #hash = startDigest()
  #digest: Digest | undefined
  #store: ContentStore
  #committing: Promise<Digest> | undefined

  private constructor(path: string, file: FileHandle, store: ContentStore) {
    this.#path = path
    this.#file = file
    this.#store = store
  }

  static async open(path: string, store: ContentStore): Promise<Ingest> {
    try {
      return new Ingest(path, await open(path, 'wx', 0o600), store)
    } catch (error) {
      throw storeFailure(error, 'a blob', store.folder)
    }
  }

  /** @throws E_STORE_FULL, E_STORE_IO */
  async write(data: Buffer): Promise<void> {
    this.#hash.update(data)
    try {
      for (let done = 0; done < data.length; ) {
        done += (await this.#file!.write(data, done, data.length - done, null)).bytesWritten
      }
    } catch (error) {
      throw storeFailure(error, 'a blob', this.#store.folder)
    }
    this.size += data.length
  }

  /** All is written: no descriptor is held from now on. */
  async seal(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  /** The digest of what came in; nothing may be written after it was asked for. */
  get digest(): Digest {
    this.#digest ??= finishDigest(this.#hash)
    return this.#digest
  }

  /** What came in, where it is no more than `most` bytes; undefined where it is more. */
  async readSmall(most: number): Promise<Buffer | undefined> {
    return this.size > most ? undefined : await readFile(this.#path)
  }

  /**
   * A descriptor to read it by: unlike its path it is good while the blob moves to its own name. The caller
   * closes it.
   */
  async openForReading(): Promise<FileHandle> {
    return await open(this.#path, 'r')
  }

  /**
   * Makes it a blob of the store, for good: on the disk before it has its name.
   * @throws E_DIGEST where it is not what was expected, E_STORE_FULL, E_STORE_IO
   */
  async commit(expected?: Digest): Promise<Digest> {
    if (expected !== undefined && expected !== this.digest) {
      throw fail('E_DIGEST', { what: `blob ${expected}`, expected, got: this.digest })
    }
    this.#committing ??= this.#commit()
    return await this.#committing
  }

  async #commit(): Promise<Digest> {
    const target = this.#store.pathOf(this.digest)
    try {
      await this.seal()
      const file = await open(this.#path, 'r')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(this.#path, target)
      this.#path = target
      await syncFolder(dirname(target))
    } catch (error) {
      throw storeFailure(error, `blob ${this.digest}`, this.#store.folder)
    }
    return this.digest
  }

  /** Lets go of it: without a commit nothing stays, after one the blob does. */
  async discard(): Promise<void> {
    await this.seal()
    if (this.#path !== this.#store.pathOf(this.digest)) await rm(this.#path, { force: true })
  }
}

/** A system error as one of the store's failures; anything else as it is. */
export function storeFailure(error: unknown, what: string, folder: string): unknown {
  const code = errnoOf(error)
  if (code === 'ENOSPC' || code === 'EDQUOT') return fail('E_STORE_FULL', { folder }, error)
  if (code?.startsWith('E') && !code.startsWith('E_')) {
    return fail('E_STORE_IO', { what, errno: messageOf(error) }, error)
  }
  return error
}
