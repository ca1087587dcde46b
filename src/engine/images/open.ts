/** Opens the store: what a crash left is swept, what a disk lost is made anew from the blobs. */
import { join } from 'node:path'
import { messageOf } from '../../shared/errors.ts'
import { collectGarbage } from './collect.ts'
import { parseImageConfig } from './config.ts'
import { ContentStore } from './content.ts'
import type { ImageContext, ImageStoreOptions } from './context.ts'
import { chainIds, type Digest } from './digest.ts'
import { LayerStore } from './layers/layer-store.ts'
import { defaultLimits } from './layers/limits.ts'
import { Unpacker } from './layers/unpacker.ts'
import { Leases } from './leases.ts'
import { ImageIndex } from './records.ts'

/** @throws E_STORE_BROKEN, E_STORE_IO */
export async function openContext(options: ImageStoreOptions): Promise<ImageContext> {
  const { dataRoot, log, clock, emit } = options
  const limits = { ...defaultLimits, ...options.limits }
  const index = await ImageIndex.open(join(dataRoot, 'images', 'index.json'), [
    join(dataRoot, 'content', 'blobs', 'sha256'),
    join(dataRoot, 'layers'),
  ])
  const content = await ContentStore.open(join(dataRoot, 'content'))
  const thread = new Unpacker()
  const layers = await LayerStore.open({
    folder: join(dataRoot, 'layers'),
    thread,
    limits,
    known: index.state.layers.values(),
  })
  const inUse = options.inUse ?? (() => [])
  const leases = new Leases()
  const configs = new Map()
  const context = { content, layers, index, leases, thread, configs, limits, log, clock, emit, inUse }
  for (const id of index.state.images.keys()) await openImage(context, id)
  // Orphans wait: their containers may not be known yet.
  const lease = leases.hold(index.state.images.keys())
  try {
    await collectGarbage(context)
  } finally {
    lease.release()
  }
  return context
}

/** An image that can't be had back is taken out: better than one that no container starts from. */
async function openImage(context: ImageContext, id: Digest): Promise<void> {
  try {
    const config = parseImageConfig(context.content.readSmall(id), id)
    context.configs.set(id, config)
    await restoreLayers(context, id, config.rootfs.diff_ids)
  } catch (error) {
    context.log.error({ image: id, error: messageOf(error) }, 'image is damaged and was taken out')
    context.configs.delete(id)
    await context.index.change((draft) => {
      draft.images.delete(id)
      for (const [key, target] of draft.references) if (target === id) draft.references.delete(key)
    })
  }
}

async function restoreLayers(context: ImageContext, id: Digest, diffIds: Digest[]): Promise<void> {
  const missing = chainIds(diffIds).filter((chainId) => !context.layers.get(chainId))
  if (missing.length === 0) return
  context.log.warn({ image: id, layers: missing }, 'layers are missing and are unpacked again')
  const blobs = context.index.state.images.get(id)!.layers
  const restored = await context.layers.ensure(
    diffIds.map((diffId, i) => {
      const digest = blobs[i]!
      return { diffId, blob: context.content.pathOf(digest), blobDigest: digest }
    }),
  )
  await context.layers.flush()
  await context.index.change((draft) => {
    for (const layer of restored) draft.layers.set(layer.chainId, layer)
  })
}
