/** `docker tag`. */
import { findImage } from './catalog.ts'
import { emitEvent, type ImageContext, timestamp } from './context.ts'
import { fail } from './errors.ts'
import { familiarReference, parseReference, referenceKey, withDefaultTag } from './reference.ts'

/**
 * Lets one more name lead to an image; a name that led elsewhere moves.
 * @param repo a name, with a tag of its own where `tag` is left out
 * @throws E_NO_SUCH_IMAGE, E_REFERENCE
 */
export async function tagImage(
  context: ImageContext,
  ref: string,
  repo: string,
  tag?: string,
): Promise<void> {
  const { record } = findImage(context, ref)
  const named = parseReference(repo)
  if (named.digest) {
    throw fail('E_REFERENCE', { problem: 'refusing to create a tag with a digest reference' })
  }
  const target = withDefaultTag(tag ? { ...named, tag: checkTag(tag) } : named)
  const key = referenceKey(target)
  await context.index.change((draft) => {
    const current = draft.images.get(record.id)
    if (!current || current.orphan) throw fail('E_NO_SUCH_IMAGE', { ref })
    draft.images.set(record.id, { ...current, taggedAt: timestamp(context) })
    draft.references.set(key, record.id)
  })
  emitEvent(context, 'tag', record.id, familiarReference(target))
}

function checkTag(tag: string): string {
  if (!/^\w[\w.-]{0,127}$/.test(tag)) throw fail('E_REFERENCE', { problem: 'invalid tag format' })
  return tag
}
