/**
 * Unpacked layers: each stack of layers has its top one in a folder of its own, whose short name is found by
 * the stack's chain id. A layer is unpacked once, however many ask for it at once. Which layers outlive a
 * restart is the image index's word, not this folder's.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { newHexId, toBase36 } from '../../../shared/ids.ts'
import { chainIds, type Digest, hexOf } from '../digest.ts'
import { emptyLayerName, type LayerRecord } from '../records.ts'
import type { UnpackLimits } from './limits.ts'
import type { UnpackProgress } from './unpack.ts'
import type { Unpacker } from './unpacker.ts'

/** A layer as it is to be unpacked. */
export interface PackedLayer {
  diffId: Digest
  /** The file with its tar, and that file's digest. */
  blob: string
  blobDigest: Digest
}

const nameLength = 12
const unfinishedPrefix = '.new-'
const removedPrefix = '.old-'

export class LayerStore {
  readonly folder: string
  #thread: Unpacker
  #limits: UnpackLimits
  /** By chain id: those that are there, and those on their way. */
  #layers = new Map<Digest, LayerRecord>()
  #coming = new Map<Digest, Promise<LayerRecord>>()
  /** Names of folders that are there or are being unpacked. */
  #names = new Set<string>([emptyLayerName])

  private constructor(folder: string, thread: Unpacker, limits: UnpackLimits) {
    this.folder = folder
    this.#thread = thread
    this.#limits = limits
  }

  /** Opens the store with the layers that are known to be whole; every other folder in it goes. */
  static async open(options: {
    folder: string
    thread: Unpacker
    limits: UnpackLimits
    known: Iterable<LayerRecord>
  }): Promise<LayerStore> {
    const store = new LayerStore(options.folder, options.thread, options.limits)
    await mkdir(store.folder, { recursive: true, mode: 0o700 })
    mkdirSync(store.pathOf(emptyLayerName), { recursive: true, mode: 0o755 })
    for (const record of options.known) {
      if (!existsSync(store.pathOf(record.name))) continue
      store.#layers.set(record.chainId, record)
      store.#names.add(record.name)
    }
    const unknown = readdirSync(store.folder).filter((name) => !store.#names.has(name))
    for (const name of unknown) await store.#thread.remove(store.pathOf(name))
    return store
  }

  pathOf(name: string): string {
    return join(this.folder, name)
  }

  get(chainId: Digest): LayerRecord | undefined {
    return this.#layers.get(chainId)
  }

  all(): LayerRecord[] {
    return [...this.#layers.values()]
  }

  /**
   * Unpacks what is missing of a stack, lowest first; the stack's records. They are on the disk for good only
   * after `flush`.
   * @throws what `unpackLayer` throws
   */
  async ensure(
    stack: PackedLayer[],
    onProgress?: (layer: PackedLayer, current: number, total: number) => void,
  ): Promise<LayerRecord[]> {
    const records: LayerRecord[] = []
    for (const [i, chainId] of chainIds(stack.map((layer) => layer.diffId)).entries()) {
      const layer = stack[i]!
      const progress: UnpackProgress = (current, total) => onProgress?.(layer, current, total)
      records.push(await this.#ensureOne(chainId, layer, records, progress))
    }
    return records
  }

  async #ensureOne(
    chainId: Digest,
    layer: PackedLayer,
    lower: LayerRecord[],
    onProgress: UnpackProgress,
  ): Promise<LayerRecord> {
    const known = this.#layers.get(chainId)
    if (known) return known
    const coming = this.#coming.get(chainId)
    if (coming) return await coming
    const work = this.#unpack(chainId, layer, lower, onProgress).finally(() => this.#coming.delete(chainId))
    this.#coming.set(chainId, work)
    return await work
  }

  async #unpack(
    chainId: Digest,
    layer: PackedLayer,
    lower: LayerRecord[],
    onProgress: UnpackProgress,
  ): Promise<LayerRecord> {
    const name = this.#takeName(chainId)
    try {
      const unfinished = this.pathOf(unfinishedPrefix + name)
      const { size } = await this.#thread.unpack(
        {
          ...layer,
          folder: unfinished,
          lower: lower.toReversed().map((record) => this.pathOf(record.name)),
          limits: this.#limits,
        },
        onProgress,
      )
      renameSync(unfinished, this.pathOf(name))
      const record = { chainId, diffId: layer.diffId, name, size }
      this.#layers.set(chainId, record)
      return record
    } catch (error) {
      this.#names.delete(name)
      throw error
    }
  }

  /** The chain id's first digits in base 36; other ones where a name is taken. */
  #takeName(chainId: Digest): string {
    const hex = hexOf(chainId)
    for (let at = 0; ; at++) {
      const digits = at < 48 ? hex.slice(at, at + 16) : newHexId().slice(0, 16)
      const name = toBase36(BigInt(`0x${digits}`), 13).slice(-nameLength)
      if (this.#names.has(name)) continue
      this.#names.add(name)
      return name
    }
  }

  /** Makes what was unpacked outlive a power cut. */
  async flush(): Promise<void> {
    await this.#thread.sync(this.folder)
  }

  /** Forgets a layer at once, so that nobody builds on it any more. `remove` takes its folder away. */
  forget(record: LayerRecord): void {
    if (this.#layers.get(record.chainId) === record) this.#layers.delete(record.chainId)
  }

  /** Removes the folder of a layer that was forgotten. */
  async remove(record: LayerRecord): Promise<void> {
    const doomed = this.pathOf(`${removedPrefix}${newHexId().slice(0, 16)}`)
    renameSync(this.pathOf(record.name), doomed)
    this.#names.delete(record.name)
    await this.#thread.remove(doomed)
  }
}
