import { fail } from '../errors.ts'
import type { Kinds } from '../store/objects/kinds.ts'
import { findByRef, type View } from '../store/replica.ts'

/** The one object with this id, name or beginning of an id. @throws E_OBJECT_UNKNOWN, E_OBJECT_AMBIGUOUS */
export function findOne<K extends 'node' | 'service' | 'network'>(
  view: View,
  kind: K,
  ref: string,
): Kinds[K] {
  const found = findByRef(view, kind, ref)
  if (found.length === 1) return found[0]!
  if (found.length === 0) throw fail('E_OBJECT_UNKNOWN', { kind, ref })
  throw fail('E_OBJECT_AMBIGUOUS', { kind, ref, count: found.length })
}

/** The version that a client read. @throws E_SPEC_INVALID */
export function parseVersion(text: string | undefined): number {
  const version = Number(text)
  if (text === undefined || text === '' || !Number.isSafeInteger(version)) {
    throw fail('E_SPEC_INVALID', {
      why: `invalid version '${text ?? ''}': the query must name the version that was read`,
    })
  }
  return version
}

/** @throws E_OUT_OF_SEQUENCE when the object has changed since the client read it */
export function assertVersion(object: { Version: { Index: number } }, version: number): void {
  if (object.Version.Index !== version) throw fail('E_OUT_OF_SEQUENCE', {})
}
