/** Finding images: by name, digest, id, or the beginning of an id. */
import type { ImageConfigFile } from './config.ts'
import type { ImageContext } from './context.ts'
import { chainIds, type Digest, hexOf } from './digest.ts'
import { fail } from './errors.ts'
import { matchGlob } from './glob.ts'
import type { ImageRecord, LayerRecord } from './records.ts'
import {
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  type Reference,
  referenceKey,
  repositoryOf,
  withDefaultTag,
} from './reference.ts'

/** How a text named an image: by a reference that is in the store, or by its id or a part of it. */
export interface FoundImage {
  record: ImageRecord
  /** The reference's key in the index. */
  key?: string
}

/**
 * Docker's order: an id in full, a reference, the beginning of an id.
 * @throws E_NO_SUCH_IMAGE, E_AMBIGUOUS_IMAGE, E_REFERENCE
 */
export function findImage(context: ImageContext, text: string): FoundImage {
  const { images, references } = context.index.state
  const full = /^(sha256:)?[0-9a-f]{64}$/.test(text) ? `sha256:${text.slice(-64)}` : undefined
  if (full) {
    const record = images.get(full)
    if (!record || record.orphan) throw fail('E_NO_SUCH_IMAGE', { ref: full })
    return { record }
  }
  const prefix = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(text)?.[1]
  const reference = text.startsWith('sha256:') && prefix ? undefined : parseReference(text)
  if (reference) {
    const key = referenceKey(reference)
    const record = images.get(references.get(key) ?? '')
    if (record) return { record, key }
  }
  const ids = prefix ? startingWith(context, prefix) : []
  if (ids.length > 1) throw fail('E_AMBIGUOUS_IMAGE', { ref: text, count: ids.length })
  if (ids.length === 1) return { record: images.get(ids[0]!)! }
  throw fail('E_NO_SUCH_IMAGE', { ref: reference ? familiarReference(withDefaultTag(reference)) : text })
}

function startingWith(context: ImageContext, prefix: string): Digest[] {
  return visibleImages(context)
    .map((record) => record.id)
    .filter((id) => hexOf(id).startsWith(prefix))
}

/** All images that their users know of. */
export function visibleImages(context: ImageContext): ImageRecord[] {
  return [...context.index.state.images.values()].filter((record) => !record.orphan)
}

export function configOf(context: ImageContext, id: Digest): ImageConfigFile {
  const config = context.configs.get(id)
  if (!config) throw fail('E_NO_SUCH_IMAGE', { ref: id })
  return config
}

/** The image's layers, lowest first. */
export function layersOf(context: ImageContext, id: Digest): LayerRecord[] {
  return chainIds(configOf(context, id).rootfs.diff_ids).map((chainId) => {
    const layer = context.layers.get(chainId)
    if (!layer) throw fail('E_STORE_BROKEN', { path: context.layers.folder, problem: `it lacks ${chainId}` })
    return layer
  })
}

/** Bytes of all its layers' files. */
export function sizeOf(context: ImageContext, id: Digest): number {
  return layersOf(context, id).reduce((sum, layer) => sum + layer.size, 0)
}

/** The references that lead to an image, in the order of their normal form. */
export function referencesOf(context: ImageContext, id: Digest): Reference[] {
  const { references } = context.index.state
  const keys = [...references].flatMap(([key, target]) => (target === id ? [key] : []))
  return keys.sort().map(parseReference)
}

/** The same as docker shows them. */
export function namesOf(context: ImageContext, id: Digest): { tags: string[]; digests: string[] } {
  const references = referencesOf(context, id)
  return {
    tags: references.filter((r) => !r.digest).map(familiarReference),
    digests: references.filter((r) => r.digest).map(familiarReference),
  }
}

/** True where all references are one tag, or digests of one repository: removing the image then is no surprise. */
export function isSingleReference(references: Reference[]): boolean {
  const tags = references.filter((r) => !r.digest)
  return tags.length <= 1 && new Set(references.map(repositoryOf)).size <= 1
}

/** The filter `reference`: a pattern with * ? [] against the name with its tag or digest, or without. */
export function matchesPattern(reference: Reference, pattern: string): boolean {
  const names = [familiarReference(reference), familiarName(reference), formatReference(reference)]
  return names.some((name) => matchGlob(pattern, name))
}
