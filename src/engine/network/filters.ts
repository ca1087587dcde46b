/** The filters of GET /networks and POST /networks/prune. Pure. */
import { parseDuration } from '../../shared/units.ts'
import { fail } from './errors.ts'
import type { NetworkRecord } from './records.ts'

/** As the API's query has them once decoded: name -> wanted values. */
export type Filters = Readonly<Record<string, readonly string[]>>

const predefinedNames = ['bridge', 'host', 'none']

/** Networks that nobody made and nobody can remove. */
export function isPredefined({ name, scope }: NetworkRecord): boolean {
  return scope === 'local' && predefinedNames.includes(name)
}

const listTests: Record<string, (record: NetworkRecord, value: string, inUse: boolean) => boolean> = {
  id: ({ id }, value) => id.startsWith(value),
  name: ({ name }, value) => name.includes(value),
  driver: ({ driver }, value) => driver === value,
  scope: ({ scope }, value) => scope === value,
  label: ({ labels }, value) => hasLabel(labels, value),
  type: (record, value) => isPredefined(record) === (value === 'builtin'),
  dangling: (record, value, inUse) => (isTrue(value) ? !inUse && !isPredefined(record) : inUse),
}

/** Whether a list with these filters shows the network. @throws E_NETWORK_OPTION */
export function matchesList(filters: Filters, record: NetworkRecord, inUse: boolean): boolean {
  return Object.entries(filters).every(([name, values]) => {
    const test = listTests[name]
    if (!test) throw fail('E_NETWORK_OPTION', { option: 'filters', problem: `invalid filter '${name}'` })
    // All labels must be there; of the others any value will do.
    return name === 'label'
      ? values.every((value) => test(record, value, inUse))
      : values.length === 0 || values.some((value) => test(record, value, inUse))
  })
}

/** Whether a prune with these filters takes an unused network. @throws E_NETWORK_OPTION */
export function matchesPrune(filters: Filters, { labels, created }: NetworkRecord, nowMs: number): boolean {
  return Object.entries(filters).every(([name, values]) => {
    if (name === 'label') return values.every((value) => hasLabel(labels, value))
    if (name === 'label!') return values.every((value) => !hasLabel(labels, value))
    if (name === 'until') return values.every((value) => Date.parse(created) < untilMs(value, nowMs))
    throw fail('E_NETWORK_OPTION', { option: 'filters', problem: `invalid filter '${name}'` })
  })
}

/** Unix seconds, a date, or how long ago. */
function untilMs(text: string, nowMs: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const duration = parseDuration(text)
  const ms = duration === undefined ? Date.parse(text) : nowMs - duration / 1e6
  if (Number.isNaN(ms)) {
    throw fail('E_NETWORK_OPTION', { option: 'filters', problem: `until=${text} is no time` })
  }
  return ms
}

function hasLabel(labels: Record<string, string>, wanted: string): boolean {
  const at = wanted.indexOf('=')
  return at < 0 ? labels[wanted] !== undefined : labels[wanted.slice(0, at)] === wanted.slice(at + 1)
}

function isTrue(value: string): boolean {
  return /^(1|t|true)$/i.test(value)
}
