/**
 * Bodies of the swarm's calls against JSON schemas. In Go's JSON null is the same as not said, and Docker's
 * client sends many; so they are taken out first.
 */
import { misfitFinder } from '../../../shared/schema.ts'
import { fail } from '../../errors.ts'

/** A function from what came to the body. It throws E_SPEC_INVALID with the field and what is wrong with it. */
export function bodyReader<T extends object>(schema: object): (body: unknown) => T {
  const find = misfitFinder(schema)
  return (body) => {
    if (body === null || typeof body !== 'object' || Array.isArray(body)) {
      throw fail('E_SPEC_INVALID', { why: 'the body must be a JSON object' })
    }
    const said = withoutNulls(body)
    const misfit = find(said)
    if (misfit)
      throw fail('E_SPEC_INVALID', { why: `invalid request body: ${misfit.field} ${misfit.problem}` })
    return said as T
  }
}

/** Members only: a null in a list is somebody's mistake. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]) => (member === null ? [] : [[key, withoutNulls(member)]])),
  )
}

/** Docker takes the empty text for "not said". */
export const choice = (...values: string[]) => ({ enum: [...values, ''] })
/** Counts, nanoseconds and bytes, as large as Go's: a year of nanoseconds is beyond what a number holds exactly. */
export const natural = { type: 'integer', minimum: 0, maximum: 2 ** 63 }
