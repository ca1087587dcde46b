/**
 * Which images, names and layers there are: one file, replaced whole at each change. That file is the store's
 * only commit point. A blob or a layer's folder that it doesn't lead to is rubbish, whatever it holds, and is
 * swept; what it leads to was on the disk before the file said so.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { readIfThere, sweepTemporaries, writeFileAtomic } from '../../shared/files.ts'
import { storeFailure } from './content.ts'
import { type Digest, isDigest } from './digest.ts'
import { fail } from './errors.ts'

/** The lowest layer of an image that has none: overlayfs must have one. */
export const emptyLayerName = 'empty'

export interface LayerRecord {
  /** Of the stack that ends with this layer. */
  chainId: Digest
  diffId: Digest
  /** Of its folder: at most 12 characters, so that many fit into the options of one mount. */
  name: string
  /** Bytes of its files. */
  size: number
}

export interface ImageRecord {
  /** The configuration's digest. */
  id: Digest
  /** Blobs of its layers, lowest first. */
  layers: Digest[]
  /** The manifest it came with, where there was one. */
  manifest?: Digest
  /** RFC 3339. */
  addedAt: string
  taggedAt?: string
  /** Removed by its user while something still needed it: seen by nobody, and gone when that lets go. */
  orphan?: true
}

export interface ImageState {
  images: Map<Digest, ImageRecord>
  /** By chain id. */
  layers: Map<Digest, LayerRecord>
  /** Normal references ("docker.io/library/x:latest", "...@sha256:...") -> image ids. */
  references: Map<string, Digest>
}

interface IndexFile {
  version: 1
  images: ImageRecord[]
  layers: LayerRecord[]
  references: Record<string, Digest>
}

export class ImageIndex {
  #path: string
  #state: ImageState
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(path: string, state: ImageState) {
    this.#path = path
    this.#state = state
  }

  /**
   * A store has its index from its first start on, before anything else is in it: one that is missing later
   * was lost, and all that it led to would be swept.
   * @param holdings where the store keeps what the index leads to
   * @throws E_STORE_BROKEN, E_STORE_FULL, E_STORE_IO
   */
  static async open(path: string, holdings: string[] = []): Promise<ImageIndex> {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await sweepTemporaries(dirname(path))
    const text = await readIfThere(path)
    if (text !== undefined) return new ImageIndex(path, parseState(path, text))
    for (const folder of holdings) {
      if (!(await holdsSomething(folder))) continue
      throw fail('E_STORE_BROKEN', { path, problem: `it is missing, and ${folder} is not empty` })
    }
    const index = new ImageIndex(path, emptyState())
    await index.change(() => undefined)
    return index
  }

  /** As it is on the disk. Not to be changed but by `change`. */
  get state(): Readonly<ImageState> {
    return this.#state
  }

  /**
   * Changes a draft of the state and makes it last; one change after the other. Records are replaced in the
   * draft, never edited. When it throws, or cannot be written, nothing has changed.
   * @throws E_STORE_FULL, E_STORE_IO
   */
  async change<T>(edit: (draft: ImageState) => T): Promise<T> {
    const result = this.#queue.then(async () => {
      const draft: ImageState = {
        images: new Map(this.#state.images),
        layers: new Map(this.#state.layers),
        references: new Map(this.#state.references),
      }
      const value = edit(draft)
      try {
        await writeFileAtomic(this.#path, formatState(draft))
      } catch (error) {
        throw storeFailure(error, 'the list of images', dirname(this.#path))
      }
      this.#state = draft
      return value
    })
    this.#queue = result.catch(() => undefined)
    return await result
  }
}

/** Leaves out what is there in every store, and what is on its way in or out. */
async function holdsSomething(folder: string): Promise<boolean> {
  try {
    return (await readdir(folder)).some((name) => name !== emptyLayerName && !name.startsWith('.'))
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}

function emptyState(): ImageState {
  return { images: new Map(), layers: new Map(), references: new Map() }
}

function formatState({ images, layers, references }: ImageState): string {
  const file: IndexFile = {
    version: 1,
    images: [...images.values()],
    layers: [...layers.values()],
    references: Object.fromEntries([...references].sort()),
  }
  return `${JSON.stringify(file, undefined, 1)}\n`
}

function parseState(path: string, text: string): ImageState {
  const refuse = (problem: string, cause?: unknown) => fail('E_STORE_BROKEN', { path, problem }, cause)
  let file: Partial<IndexFile> | null
  try {
    file = JSON.parse(text)
  } catch (error) {
    throw refuse(messageOf(error).slice(0, 120), error)
  }
  if (file?.version !== 1) throw refuse(`it has version ${file?.version}, this engine reads 1`)
  const { images, layers, references } = file
  if (!Array.isArray(images) || !Array.isArray(layers) || typeof references !== 'object') {
    throw refuse('it lacks its lists')
  }
  const ids = [...images.map((i) => i.id), ...layers.map((l) => l.chainId), ...Object.values(references)]
  if (!ids.every(isDigest)) throw refuse('it has an id that is no digest')
  return {
    images: new Map(images.map((image) => [image.id, image])),
    layers: new Map(layers.map((layer) => [layer.chainId, layer])),
    references: new Map(Object.entries(references)),
  }
}
