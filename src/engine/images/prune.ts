/** `docker image prune`: images that no container uses, and by default only those without a name. */
import { configOf, namesOf, visibleImages } from './catalog.ts'
import { collectGarbage } from './collect.ts'
import type { ImageContext } from './context.ts'
import { checkFilterNames, type Filters, matchesLabels, matchesTimes, truth } from './filters.ts'
import { type DeletedItem, removeImage } from './remove.ts'

export interface Pruned {
  ImagesDeleted: DeletedItem[]
  /** Bytes of layers' files that are gone. */
  SpaceReclaimed: number
}

/** @throws E_IMAGE_FILTER */
export async function pruneImages(context: ImageContext, filters: Filters = {}): Promise<Pruned> {
  checkFilterNames(filters, ['dangling', 'label', 'label!', 'until'])
  const danglingOnly = truth(filters, 'dangling') ?? true
  const doomed = visibleImages(context).filter(
    ({ id }) =>
      context.inUse(id).length === 0 &&
      !(danglingOnly && namesOf(context, id).tags.length > 0) &&
      matchesTimes(context, id, filters) &&
      matchesLabels(configOf(context, id).config?.Labels, filters),
  )
  const before = bytesOfLayers(context)
  const deleted: DeletedItem[] = []
  for (const { id } of doomed) deleted.push(...(await removeImage(context, id, { force: true })))
  await collectGarbage(context)
  const reclaimed = Math.max(0, before - bytesOfLayers(context))
  context.emit({
    Type: 'image',
    Action: 'prune',
    Actor: { ID: '', Attributes: { reclaimed: String(reclaimed) } },
  })
  return { ImagesDeleted: deleted, SpaceReclaimed: reclaimed }
}

function bytesOfLayers(context: ImageContext): number {
  return context.layers.all().reduce((sum, layer) => sum + layer.size, 0)
}
