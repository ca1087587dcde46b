/** `docker image inspect` and `docker history`. */
import { configOf, findImage, layersOf, namesOf, sizeOf } from './catalog.ts'
import type { ImageConfig } from './config.ts'
import type { ImageContext } from './context.ts'
import type { Digest } from './digest.ts'

/** ImageInspect of the API. */
export interface ImageInspect {
  Id: Digest
  RepoTags: string[]
  RepoDigests: string[]
  Parent: string
  Comment: string
  Created?: string
  DockerVersion: string
  Author: string
  Config: ImageConfig | null
  Architecture: string
  Variant?: string
  Os: string
  OsVersion?: string
  Size: number
  GraphDriver: { Name: string; Data: Record<string, string> | null }
  RootFS: { Type: 'layers'; Layers: Digest[] }
  Metadata: { LastTagTime: string }
}

/** HistoryResponseItem of the API. */
export interface HistoryItem {
  Id: string
  /** Seconds since 1970. */
  Created: number
  CreatedBy: string
  Tags: string[] | null
  Size: number
  Comment: string
}

/** Go's zero time, as Docker shows a time that there is not. */
const zeroTime = '0001-01-01T00:00:00Z'

/** @throws E_NO_SUCH_IMAGE, E_AMBIGUOUS_IMAGE, E_REFERENCE */
export function inspectImage(context: ImageContext, ref: string): ImageInspect {
  const { record } = findImage(context, ref)
  const { id } = record
  const file = configOf(context, id)
  const { tags, digests } = namesOf(context, id)
  return {
    Id: id,
    RepoTags: tags,
    RepoDigests: digests,
    Parent: '',
    Comment: file.comment ?? file.history?.at(-1)?.comment ?? '',
    ...(file.created && { Created: file.created }),
    DockerVersion: file.docker_version ?? '',
    Author: file.author ?? '',
    Config: file.config ?? null,
    Architecture: file.architecture ?? '',
    ...(file.variant && { Variant: file.variant }),
    Os: file.os ?? 'linux',
    ...(file['os.version'] && { OsVersion: file['os.version'] }),
    Size: sizeOf(context, id),
    GraphDriver: { Name: 'overlay2', Data: layerFolders(context, id) },
    RootFS: { Type: 'layers', Layers: file.rootfs.diff_ids },
    Metadata: { LastTagTime: record.taggedAt ?? zeroTime },
  }
}

function layerFolders(context: ImageContext, id: Digest): Record<string, string> | null {
  const [top, ...lower] = layersOf(context, id)
    .toReversed()
    .map((layer) => context.layers.pathOf(layer.name))
  if (!top) return null
  return { UpperDir: top, ...(lower.length > 0 && { LowerDir: lower.join(':') }) }
}

/** Newest step first; only the first has an id, as for every image that was not built here step by step. */
export function imageHistory(context: ImageContext, ref: string): HistoryItem[] {
  const { record } = findImage(context, ref)
  const { tags } = namesOf(context, record.id)
  const sizes = layersOf(context, record.id).map((layer) => layer.size)
  const steps = (configOf(context, record.id).history ?? []).map((step): HistoryItem => {
    const created = Date.parse(step.created ?? '')
    return {
      Id: '<missing>',
      Created: Number.isNaN(created) ? 0 : Math.floor(created / 1000),
      CreatedBy: step.created_by ?? '',
      Tags: null,
      Size: step.empty_layer ? 0 : (sizes.shift() ?? 0),
      Comment: step.comment ?? '',
    }
  })
  return steps
    .toReversed()
    .map((step, i) => (i === 0 ? { ...step, Id: record.id, Tags: tags.length > 0 ? tags : null } : step))
}
