/** The one way into the store: images whose files are at hand become images of the store, all or none. */
import type { ArchivedImage } from './archive-manifest.ts'
import { type ImageConfigFile, parseImageConfig } from './config.ts'
import type { Ingest } from './content.ts'
import { type ImageContext, timestamp } from './context.ts'
import { chainIds, type Digest } from './digest.ts'
import { fail } from './errors.ts'
import type { PackedLayer } from './layers/layer-store.ts'
import type { ImageRecord, LayerRecord } from './records.ts'

export interface IncomingImage {
  image: ArchivedImage
  /** References that shall lead to it. */
  keys: string[]
}

export interface AddedImage {
  id: Digest
  /** References that led to another image before, with that image. */
  moved: Map<string, Digest>
}

/** Called while a layer is unpacked. */
export type LayerProgress = (diffId: Digest, current: number, total: number) => void

interface Prepared extends IncomingImage {
  record: ImageRecord
  config: ImageConfigFile
}

/**
 * Stores blobs, unpacks layers, and then lets all names lead to their images in one change.
 * @throws E_ARCHIVE, E_IMAGE_CONFIG, E_DIGEST, E_LAYER, E_LAYER_ENTRY, E_STORE_FULL, E_STORE_IO; nothing is
 * left then
 */
export async function addImages(
  context: ImageContext,
  incoming: IncomingImage[],
  onProgress?: LayerProgress,
): Promise<AddedImage[]> {
  const prepared: Prepared[] = []
  for (const one of incoming) prepared.push(await prepare(context, one))
  const lease = context.leases.hold(prepared.flatMap(neededBy))
  try {
    const layers: LayerRecord[] = []
    for (const one of prepared) layers.push(...(await store(context, one, onProgress)))
    await context.layers.flush()
    return await enter(context, prepared, layers)
  } finally {
    lease.release()
  }
}

async function prepare(context: ImageContext, incoming: IncomingImage): Promise<Prepared> {
  const { config: file, configDigest, layers, manifest } = incoming.image
  const id = file.digest
  if (configDigest && configDigest !== id) {
    throw fail('E_DIGEST', { what: `configuration ${configDigest}`, expected: configDigest, got: id })
  }
  const data = await file.readSmall(largestConfig)
  if (!data) throw fail('E_IMAGE_CONFIG', { image: id, problem: 'it has more than 4 MiB' })
  const config = parseImageConfig(data, id)
  const expected = config.rootfs.diff_ids.length
  if (layers.length !== expected) {
    const problem = `layers length mismatch: image ${id} has ${expected}, its manifest ${layers.length}`
    throw fail('E_ARCHIVE', { problem })
  }
  const record: ImageRecord = {
    id,
    layers: layers.map((layer) => layer.file.digest),
    ...(manifest && { manifest: manifest.digest }),
    addedAt: timestamp(context),
  }
  return { ...incoming, record, config }
}

const largestConfig = 4 << 20

/** Everything that must not be collected until the index leads to it. */
function neededBy({ record, config }: Prepared): string[] {
  const manifest = record.manifest ? [record.manifest] : []
  return [record.id, ...record.layers, ...manifest, ...chainIds(config.rootfs.diff_ids)]
}

/** Blobs go to the disk while layers are unpacked: either waits for the disk most of the time. */
async function store(
  context: ImageContext,
  one: Prepared,
  onProgress?: LayerProgress,
): Promise<LayerRecord[]> {
  const { image, config } = one
  const opened = await openLayers(image.layers.map((layer) => layer.file))
  try {
    const stack = config.rootfs.diff_ids.map(
      (diffId, i): PackedLayer => ({
        diffId,
        blob: `/proc/self/fd/${opened[i]!.fd}`,
        blobDigest: image.layers[i]!.file.digest,
      }),
    )
    const blobs = [
      image.config.commit(),
      ...image.layers.map(({ file, digest }) => file.commit(digest)),
      ...(image.manifest ? [image.manifest.file.commit(image.manifest.digest)] : []),
    ]
    const unpacked = context.layers.ensure(stack, ({ diffId }, current, total) =>
      onProgress?.(diffId, current, total),
    )
    const outcomes = await Promise.allSettled([unpacked, ...blobs])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    return await unpacked
  } finally {
    for (const file of opened) await file.close()
  }
}

async function openLayers(files: Ingest[]) {
  const opened = []
  try {
    for (const file of files) opened.push(await file.openForReading())
    return opened
  } catch (error) {
    for (const file of opened) await file.close()
    throw error
  }
}

async function enter(
  context: ImageContext,
  prepared: Prepared[],
  layers: LayerRecord[],
): Promise<AddedImage[]> {
  const known = new Map(prepared.map(({ record, config }) => [record.id, config]))
  for (const [id, config] of known) context.configs.set(id, config)
  return await context.index.change((draft) => {
    for (const layer of layers) draft.layers.set(layer.chainId, layer)
    return prepared.map(({ record, keys }) => {
      const old = draft.images.get(record.id)
      draft.images.set(record.id, { ...record, ...(old && { addedAt: old.addedAt, taggedAt: old.taggedAt }) })
      const moved = new Map<string, Digest>()
      for (const key of keys) {
        const before = draft.references.get(key)
        if (before !== undefined && before !== record.id) moved.set(key, before)
        draft.references.set(key, record.id)
      }
      return { id: record.id, moved }
    })
  })
}
