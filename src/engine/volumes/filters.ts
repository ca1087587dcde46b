/** The filters of `docker volume ls` and `docker volume prune`. */
import { fail } from './errors.ts'
import type { VolumeRecord } from './records.ts'

/** Filter name -> its values. */
export type Filters = Record<string, string[]>

/** @throws E_VOLUME_FILTER for a name that there is not */
export function matchesVolume(record: VolumeRecord, filters: Filters, inUse: boolean): boolean {
  check(filters, ['dangling', 'driver', 'label', 'name'])
  const dangling = truth(filters, 'dangling')
  const any = (values: string[] | undefined, test: (value: string) => boolean) =>
    !values?.length || values.some(test)
  return (
    (dangling === undefined || dangling !== inUse) &&
    any(filters.driver, (driver) => driver === 'local') &&
    any(filters.name, (part) => record.name.includes(part)) &&
    (filters.label ?? []).every((label) => hasLabel(record, label))
  )
}

/** Which volumes a prune may take. @throws E_VOLUME_FILTER */
export function pruneFilters(filters: Filters, anonymousLabel: string): (record: VolumeRecord) => boolean {
  check(filters, ['all', 'label', 'label!'])
  const all = truth(filters, 'all') ?? false
  return (record) =>
    (all || record.labels[anonymousLabel] !== undefined) &&
    (filters.label ?? []).every((label) => hasLabel(record, label)) &&
    !(filters['label!'] ?? []).some((label) => hasLabel(record, label))
}

/** "key" or "key=value". */
function hasLabel({ labels }: VolumeRecord, text: string): boolean {
  const at = text.indexOf('=')
  return at < 0 ? labels[text] !== undefined : labels[text.slice(0, at)] === text.slice(at + 1)
}

function check(filters: Filters, known: string[]): void {
  for (const name of Object.keys(filters)) {
    if (!known.includes(name)) throw fail('E_VOLUME_FILTER', { filter: name })
  }
}

function truth(filters: Filters, name: string): boolean | undefined {
  const values = filters[name] ?? []
  if (values.length === 0) return undefined
  if (values.every((value) => value === 'true' || value === '1')) return true
  if (values.every((value) => value === 'false' || value === '0')) return false
  throw fail('E_VOLUME_FILTER', { filter: `${name}=${values.join(',')}` })
}
