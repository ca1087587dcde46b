/**
 * An archive of images as it streams in: every file of it goes to the content store's antechamber, since what
 * it is for is only known when the archive has been read to its end.
 */
import { posix } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { decompress } from './compression.ts'
import type { ContentStore, Ingest } from './content.ts'
import { fail } from './errors.ts'
import { type UnpackLimits, UnpackMeter } from './layers/limits.ts'
import { cleanName, displayName, RefusedEntry } from './layers/names.ts'
import { TarError } from './tar/header.ts'
import { type TarEntry, type TarEvent, TarReader } from './tar/reader.ts'

/** No manifest or configuration is larger (distribution's limit for manifests). */
const largestJson = 4 << 20
/** An archive holds a few files a layer. */
const mostFiles = 20_000
const mostHops = 8

export class ArchiveFiles {
  #files = new Map<string, Ingest>()
  /** Old archives have one layer under several names, by symbolic links. */
  #links = new Map<string, string>()

  /**
   * Reads an archive: plain, gzip or zstd.
   * @throws E_ARCHIVE, E_STORE_FULL, E_STORE_IO; nothing is left then
   */
  static async read(
    source: AsyncIterable<Buffer>,
    content: ContentStore,
    limits: UnpackLimits,
  ): Promise<ArchiveFiles> {
    const files = new ArchiveFiles()
    const reading = new ArchiveReading(files, content, { ...limits, entries: mostFiles })
    try {
      await reading.read(source)
      return files
    } catch (error) {
      await reading.discard()
      await files.discard()
      throw toFailure(error)
    }
  }

  /** Keeps the last of several files of one name, as a reader of tars does. */
  async add(path: string, file: Ingest): Promise<void> {
    await this.#files.get(path)?.discard()
    this.#links.delete(path)
    this.#files.set(path, file)
  }

  addLink(path: string, target: string): void {
    this.#links.set(path, target)
  }

  /** The file of a name, through links; undefined where there is none. */
  find(name: string): Ingest | undefined {
    let path = posix.normalize(name).replace(/^\//, '')
    for (let hops = 0; hops < mostHops; hops++) {
      const file = this.#files.get(path)
      const target = this.#links.get(path)
      if (file || target === undefined) return file
      path = target
    }
    return undefined
  }

  /** @throws E_ARCHIVE where there is none */
  get(name: string): Ingest {
    const file = this.find(name)
    if (!file) throw fail('E_ARCHIVE', { problem: `it lacks ${displayName(toBytes(name))}` })
    return file
  }

  /** A small file whole. @throws E_ARCHIVE */
  async readSmall(name: string): Promise<Buffer> {
    const data = await this.get(name).readSmall(largestJson)
    if (!data) throw fail('E_ARCHIVE', { problem: `${displayName(toBytes(name))} has more than 4 MiB` })
    return data
  }

  /** @throws E_ARCHIVE */
  async readJson(name: string): Promise<unknown> {
    const data = await this.readSmall(name)
    try {
      return JSON.parse(data.toString())
    } catch (error) {
      const problem = `${displayName(toBytes(name))} is no JSON: ${messageOf(error).slice(0, 120)}`
      throw fail('E_ARCHIVE', { problem }, error)
    }
  }

  /** Lets go of all files; those that were committed stay in the store. */
  async discard(): Promise<void> {
    for (const file of this.#files.values()) await file.discard()
  }
}

class ArchiveReading {
  #files: ArchiveFiles
  #content: ContentStore
  #meter: UnpackMeter
  #current: { path: string; file: Ingest } | undefined
  #packed = 0

  constructor(files: ArchiveFiles, content: ContentStore, limits: UnpackLimits) {
    this.#files = files
    this.#content = content
    this.#meter = new UnpackMeter(limits)
  }

  async read(source: AsyncIterable<Buffer>): Promise<void> {
    const { compression, data } = await decompress(this.#count(source))
    if (compression === 'xz' || compression === 'bzip2') {
      throw fail('E_ARCHIVE', {
        problem: `it is compressed with ${compression}; only gzip and zstd are supported`,
      })
    }
    const tar = new TarReader()
    let unpacked = 0
    for await (const chunk of data) {
      unpacked += chunk.length
      this.#meter.checkRatio(this.#packed, unpacked)
      for (const event of tar.feed(chunk)) await this.#take(event)
    }
    tar.finish()
  }

  async #take(event: TarEvent): Promise<void> {
    if (event.kind === 'data') await this.#current?.file.write(event.data)
    else if (event.kind === 'end') await this.#end()
    else await this.#begin(event.entry)
  }

  async #begin(entry: TarEntry): Promise<void> {
    this.#meter.addEntry(entry.size)
    const path = cleanName(entry.name)
    if (entry.isSparse) throw new RefusedEntry(`${displayName(entry.name)} is a sparse file`)
    if (entry.type === 'file') this.#current = { path, file: await this.#content.begin() }
    else if (entry.type === 'link') this.#files.addLink(path, cleanName(entry.linkName))
    else if (entry.type === 'symlink') {
      this.#files.addLink(path, posix.join('/', posix.dirname(path), entry.linkName).slice(1))
    }
  }

  async #end(): Promise<void> {
    const current = this.#current
    this.#current = undefined
    if (!current) return
    await current.file.seal()
    await this.#files.add(current.path, current.file)
  }

  async discard(): Promise<void> {
    await this.#current?.file.discard()
  }

  async *#count(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      this.#packed += chunk.length
      yield chunk
    }
  }
}

function toFailure(error: unknown): unknown {
  const code = errnoOf(error)
  const isOurs = error instanceof TarError || error instanceof RefusedEntry
  if (isOurs) return fail('E_ARCHIVE', { problem: error.message }, error)
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
    return fail('E_ARCHIVE', { problem: `it cannot be decompressed: ${messageOf(error)}` }, error)
  }
  return error
}

function toBytes(text: string): string {
  return Buffer.from(text).toString('latin1')
}
