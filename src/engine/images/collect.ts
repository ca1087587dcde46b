/**
 * Takes away what nothing leads to: orphaned images that nobody uses any more, layers and blobs of no image.
 * What work under way holds a lease on stays.
 */
import type { ImageContext } from './context.ts'
import { chainIds, type Digest } from './digest.ts'
import type { ImageRecord } from './records.ts'

export interface Collected {
  /** Chain ids of the layers that went. */
  layers: Digest[]
  /** Bytes of their files, and of the blobs that went. */
  bytes: number
}

/** Safe at any time, and after any failure. */
export async function collectGarbage(context: ImageContext): Promise<Collected> {
  await dropOrphans(context)
  const layers = await dropLayers(context)
  return { layers: layers.layers, bytes: layers.bytes + (await dropBlobs(context)) }
}

async function dropOrphans(context: ImageContext): Promise<void> {
  const isFree = (image: ImageRecord) =>
    image.orphan && !context.leases.has(image.id) && context.inUse(image.id).length === 0
  const free = [...context.index.state.images.values()].filter(isFree)
  if (free.length === 0) return
  await context.index.change((draft) => {
    for (const { id } of free) if (draft.images.get(id)?.orphan) draft.images.delete(id)
  })
  for (const { id } of free) if (!context.index.state.images.has(id)) context.configs.delete(id)
}

async function dropLayers(context: ImageContext): Promise<Collected> {
  const { index, layers, leases } = context
  const live = new Set([...index.state.images.keys()].flatMap((id) => chainsOf(context, id)))
  const doomed = layers.all().filter(({ chainId }) => !live.has(chainId) && !leases.has(chainId))
  if (doomed.length === 0) return { layers: [], bytes: 0 }
  // Forgotten before anything is awaited: whoever wants one from now on unpacks it anew.
  for (const record of doomed) layers.forget(record)
  await index.change((draft) => {
    for (const record of doomed) {
      if (draft.layers.get(record.chainId)?.name === record.name) draft.layers.delete(record.chainId)
    }
  })
  for (const record of doomed) await layers.remove(record)
  return {
    layers: doomed.map((record) => record.chainId).reverse(),
    bytes: doomed.reduce((sum, record) => sum + record.size, 0),
  }
}

function chainsOf(context: ImageContext, id: Digest): Digest[] {
  const config = context.configs.get(id)
  return config ? chainIds(config.rootfs.diff_ids) : []
}

/** Without a pause between looking and taking away: nobody can take a lease in between. */
async function dropBlobs(context: ImageContext): Promise<number> {
  const { content, index, leases } = context
  const live = new Set<Digest>()
  for (const image of index.state.images.values()) {
    for (const digest of [image.id, ...image.layers]) live.add(digest)
    if (image.manifest) live.add(image.manifest)
  }
  const doomed = content.list().filter((digest) => !live.has(digest) && !leases.has(digest))
  return await content.remove(doomed)
}
