/** `docker images`: ImageSummary of the API. */
import { configOf, layersOf, matchesPattern, referencesOf, visibleImages } from './catalog.ts'
import type { ImageContext } from './context.ts'
import type { Digest } from './digest.ts'
import { checkFilterNames, createdMs, type Filters, matchesLabels, matchesTimes, truth } from './filters.ts'
import { familiarReference, type Reference } from './reference.ts'

export interface ImageSummary {
  Id: Digest
  ParentId: string
  RepoTags: string[]
  RepoDigests: string[]
  /** Seconds since 1970. */
  Created: number
  Size: number
  /** Bytes of layers that other images have as well; -1 where that was not asked for. */
  SharedSize: number
  Labels: Record<string, string>
  /** Containers made from it; -1 where that was not asked for. */
  Containers: number
}

export interface ListOptions {
  filters?: Filters
  /** Also images between others. There are none here: it changes nothing. */
  all?: boolean
  /** Count what images share. */
  sharedSize?: boolean
  /** Count the containers of each. */
  containers?: boolean
}

const filterNames = ['before', 'dangling', 'label', 'label!', 'reference', 'since', 'until']

/** Newest first. @throws E_IMAGE_FILTER, E_NO_SUCH_IMAGE for what `before` and `since` name */
export function listImages(context: ImageContext, options: ListOptions = {}): ImageSummary[] {
  const filters = options.filters ?? {}
  checkFilterNames(filters, filterNames)
  const dangling = truth(filters, 'dangling')
  const shared = options.sharedSize ? countLayerUses(context) : undefined
  return visibleImages(context)
    .filter(({ id }) => matchesTimes(context, id, filters))
    .filter(({ id }) => matchesLabels(configOf(context, id).config?.Labels, filters))
    .flatMap(({ id }) => {
      const references = referencesOf(context, id).filter((r) => matchesReference(r, filters))
      const isDangling = !references.some((r) => !r.digest)
      if (references.length === 0 && filters.reference?.length) return []
      if (dangling !== undefined && dangling !== isDangling) return []
      return [summarize(context, id, references, shared, options.containers)]
    })
    .sort((a, b) => b.Created - a.Created || (a.Id < b.Id ? -1 : 1))
}

function matchesReference(reference: Reference, filters: Filters): boolean {
  const patterns = filters.reference ?? []
  return patterns.length === 0 || patterns.some((pattern) => matchesPattern(reference, pattern))
}

function summarize(
  context: ImageContext,
  id: Digest,
  references: Reference[],
  shared: Map<Digest, number> | undefined,
  containers: boolean | undefined,
): ImageSummary {
  const layers = layersOf(context, id)
  const sizeOf = (some: typeof layers) => some.reduce((sum, layer) => sum + layer.size, 0)
  return {
    Id: id,
    ParentId: '',
    RepoTags: references.filter((r) => !r.digest).map(familiarReference),
    RepoDigests: references.filter((r) => r.digest).map(familiarReference),
    Created: Math.floor(createdMs(context, id) / 1000),
    Size: sizeOf(layers),
    SharedSize: shared ? sizeOf(layers.filter((layer) => shared.get(layer.chainId)! > 1)) : -1,
    Labels: configOf(context, id).config?.Labels ?? {},
    Containers: containers ? context.inUse(id).length : -1,
  }
}

function countLayerUses(context: ImageContext): Map<Digest, number> {
  const uses = new Map<Digest, number>()
  for (const { id } of visibleImages(context)) {
    for (const { chainId } of layersOf(context, id)) uses.set(chainId, (uses.get(chainId) ?? 0) + 1)
  }
  return uses
}
