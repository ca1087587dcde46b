/**
 * The `filters` parameter of list calls: a JSON map from key to values, in Go's form {"k":{"v":true}} or in
 * the one of JavaScript and Python, {"k":["v"]}. Values of one key are alternatives, keys must all hold.
 */
import { fail } from '../errors.ts'
import type { Labels } from '../store/objects/meta.ts'

export type Filters = Map<string, string[]>

/** @throws E_FILTER_INVALID for malformed JSON and keys that are not among `known` */
export function parseFilters(text: string | undefined, known: string[]): Filters {
  const filters: Filters = new Map()
  if (!text) return filters
  for (const [key, values] of Object.entries(parseMap(text))) {
    if (!known.includes(key)) throw fail('E_FILTER_INVALID', { filter: key })
    const list = Array.isArray(values)
      ? values
      : Object.entries(values ?? {}).flatMap(([v, on]) => (on ? [v] : []))
    if (list.length > 0) filters.set(key, list.map(String))
  }
  return filters
}

/** True when there is no such filter, or one of its values satisfies the test. */
export function passes(filters: Filters, key: string, test: (value: string) => boolean): boolean {
  return filters.get(key)?.some(test) ?? true
}

/** "key" or "key=value", all of which the labels must have. */
export function passesLabels(filters: Filters, key: string, labels: Labels | undefined): boolean {
  return (filters.get(key) ?? []).every((wanted) => {
    const at = wanted.indexOf('=')
    if (at < 0) return Object.hasOwn(labels ?? {}, wanted)
    return labels?.[wanted.slice(0, at)] === wanted.slice(at + 1)
  })
}

function parseMap(text: string): Record<string, unknown[] | Record<string, boolean> | null> {
  try {
    const parsed: unknown = JSON.parse(text)
    if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) {
      return parsed as Record<string, unknown[] | Record<string, boolean>>
    }
  } catch (error) {
    throw fail('E_FILTER_INVALID', { filter: text }, error)
  }
  throw fail('E_FILTER_INVALID', { filter: text })
}

/** Docker's reading of a flag in a query: "", 0, no, false and none are false, all else is true. */
export function isTrue(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase())
}
