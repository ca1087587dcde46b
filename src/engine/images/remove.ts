/**
 * `docker rmi`, with Docker's rules (moby daemon/images/image_delete.go): a name is untagged first, the image
 * goes with its last name, and what a running container uses stays even under force.
 */
import { shortId } from '../../shared/ids.ts'
import { findImage, isSingleReference, referencesOf } from './catalog.ts'
import { collectGarbage } from './collect.ts'
import { emitEvent, type ImageContext } from './context.ts'
import type { Digest } from './digest.ts'
import { fail } from './errors.ts'
import { familiarReference, parseReference, type Reference, referenceKey, repositoryOf } from './reference.ts'

/** ImageDeleteResponseItem of the API: each has one of the two. */
export interface DeletedItem {
  Untagged?: string
  Deleted?: string
}

export interface RemoveOptions {
  /** Also what has several names, or what stopped containers use. */
  force?: boolean
  /** Keep parents without a name. Images here have no parents: it changes nothing. */
  noPrune?: boolean
}

/** @throws E_NO_SUCH_IMAGE, E_IMAGE_CONFLICT, E_STORE_FULL, E_STORE_IO */
export async function removeImage(
  context: ImageContext,
  ref: string,
  { force = false }: RemoveOptions = {},
): Promise<DeletedItem[]> {
  const { record, key } = findImage(context, ref)
  const { id } = record
  if (key !== undefined) {
    const named = parseReference(key)
    refuseLastNameInUse(context, id, ref, force)
    const doomed = [named, ...digestsLeftAlone(referencesOf(context, id), named)]
    const left = referencesOf(context, id).length - doomed.length
    // A name that is not the last one goes by itself.
    if (left > 0) return await untag(context, id, doomed)
    const conflict = conflictOf(context, id, force)
    const items = await untag(context, id, doomed)
    // As with Docker, the image then stays without a name for as long as something uses it.
    return conflict ? items : [...items, ...(await drop(context, id))]
  }
  const references = referencesOf(context, id)
  if (!isSingleReference(references) && !force) {
    throw conflict(id, false, 'image is referenced in multiple repositories')
  }
  const problem = conflictOf(context, id, force)
  if (problem) throw problem
  return [...(await untag(context, id, references)), ...(await drop(context, id))]
}

/** Without its last name an image would be left dangling, which nobody asks for unknowingly. */
function refuseLastNameInUse(context: ImageContext, id: Digest, ref: string, force: boolean): void {
  const user = context.inUse(id)[0]
  if (force || !user || !isSingleReference(referencesOf(context, id))) return
  throw fail('E_IMAGE_CONFLICT', {
    problem: `unable to remove repository reference "${ref}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(id)}`,
  })
}

/** Digest references of a repository that has lost its last tag go with it. */
function digestsLeftAlone(references: Reference[], removed: Reference): Reference[] {
  if (removed.digest) return []
  const same = references.filter((r) => repositoryOf(r) === repositoryOf(removed) && r.tag !== removed.tag)
  return same.some((r) => !r.digest) ? [] : same
}

function conflictOf(context: ImageContext, id: Digest, force: boolean) {
  const users = context.inUse(id)
  const running = users.find((user) => user.running)
  if (running) {
    return conflict(id, true, `image is being used by running container ${shortId(running.id)}`)
  }
  const [stopped] = users
  if (!stopped || force) return undefined
  return conflict(id, false, `image is being used by stopped container ${shortId(stopped.id)}`)
}

function conflict(id: Digest, hard: boolean, reason: string) {
  const forced = hard ? 'cannot be forced' : 'must be forced'
  return fail('E_IMAGE_CONFLICT', { problem: `unable to delete ${shortId(id)} (${forced}) - ${reason}` })
}

async function untag(context: ImageContext, id: Digest, references: Reference[]): Promise<DeletedItem[]> {
  if (references.length === 0) return []
  await context.index.change((draft) => {
    for (const reference of references) {
      const key = referenceKey(reference)
      if (draft.references.get(key) === id) draft.references.delete(key)
    }
  })
  return references.map((reference) => {
    emitEvent(context, 'untag', id, id)
    return { Untagged: familiarReference(reference) }
  })
}

/**
 * The image is no longer seen; its layers go now, or when the last container that needs them is gone: then
 * the engine calls `collect`.
 */
async function drop(context: ImageContext, id: Digest): Promise<DeletedItem[]> {
  await context.index.change((draft) => {
    const record = draft.images.get(id)
    if (record) draft.images.set(id, { ...record, orphan: true })
  })
  emitEvent(context, 'delete', id, id)
  const { layers } = await collectGarbage(context)
  return [{ Deleted: id }, ...layers.map((chainId) => ({ Deleted: chainId }))]
}
