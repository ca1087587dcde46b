/** The filters of `docker images` and `docker image prune`. */
import { parseDuration } from '../../shared/units.ts'
import { configOf, findImage } from './catalog.ts'
import type { ImageContext } from './context.ts'
import type { Digest } from './digest.ts'
import { fail } from './errors.ts'

/** Filter name -> its values. */
export type Filters = Record<string, string[]>

/** @throws E_IMAGE_FILTER for a name that is not among these */
export function checkFilterNames(filters: Filters, known: string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw fail('E_IMAGE_FILTER', { filter: name })
  }
}

/** A filter that is true or false; undefined where it is not given. @throws E_IMAGE_FILTER */
export function truth(filters: Filters, name: string): boolean | undefined {
  const values = filters[name] ?? []
  if (values.length === 0) return undefined
  if (values.every((v) => /^(1|t|true|TRUE|True|T)$/.test(v))) return true
  if (values.every((v) => /^(0|f|false|FALSE|False|F)$/.test(v))) return false
  throw fail('E_IMAGE_FILTER', { filter: `${name}=${values.join(',')}` })
}

/** All of `label` must hold, and none of `label!`: "key" or "key=value". */
export function matchesLabels(labels: Record<string, string> | null | undefined, filters: Filters): boolean {
  const has = (wanted: string) => {
    const at = wanted.indexOf('=')
    return at < 0 ? labels?.[wanted] !== undefined : labels?.[wanted.slice(0, at)] === wanted.slice(at + 1)
  }
  return (filters.label ?? []).every(has) && !(filters['label!'] ?? []).some(has)
}

/** When an image was made, in ms since 1970; 0 where it doesn't say. */
export function createdMs(context: ImageContext, id: Digest): number {
  const time = Date.parse(configOf(context, id).created ?? '')
  return Number.isNaN(time) ? 0 : time
}

/** `before` and `since` (other images), `until` (a time, or a duration back from now). */
export function matchesTimes(context: ImageContext, id: Digest, filters: Filters): boolean {
  const created = createdMs(context, id)
  const of = (ref: string) => createdMs(context, findImage(context, ref).record.id)
  return (
    (filters.before ?? []).every((ref) => created < of(ref)) &&
    (filters.since ?? []).every((ref) => created > of(ref)) &&
    (filters.until ?? []).every((text) => created < toMs(context, text))
  )
}

/** Unix seconds, RFC 3339, or Go's duration. @throws E_IMAGE_FILTER */
function toMs(context: ImageContext, text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const duration = parseDuration(text)
  if (duration !== undefined) return context.clock.now() - duration / 1e6
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw fail('E_IMAGE_FILTER', { filter: `until=${text}` })
  return time
}
