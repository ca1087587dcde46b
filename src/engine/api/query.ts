/** Query strings as Docker reads them. */
import { failures } from '../../shared/errors.ts'

const fail = failures({
  E_QUERY: {
    kind: 'user',
    http: 400,
    text: (p: { name: string; problem: string }) => `invalid parameter ${p.name}: ${p.problem}`,
  },
} as const)

export type Query = Record<string, string | string[] | undefined>

/** The last value of a parameter that may be given once. */
export function text(query: Query, name: string): string | undefined {
  const value = query[name]
  return Array.isArray(value) ? value.at(-1) : value
}

/** "", 0, no, false and none are false, everything else is true. */
export function flag(query: Query, name: string, fallback = false): boolean {
  const value = text(query, name)
  if (value === undefined) return fallback
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase())
}

/** @throws E_QUERY */
export function integer(query: Query, name: string): number | undefined {
  const value = text(query, name)
  if (value === undefined || value === '') return undefined
  if (!/^-?\d{1,15}$/.test(value))
    throw fail('E_QUERY', { name, problem: `${value.slice(0, 40)} is not a whole number` })
  return Number(value)
}

/** Unix seconds with optional decimals -> nanoseconds; 0 and nothing are undefined. @throws E_QUERY */
export function timeNs(query: Query, name: string): bigint | undefined {
  const value = text(query, name)
  if (!value || value === '0') return undefined
  const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(value)
  if (match) return BigInt(match[1]!) * 1_000_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'))
  const date = Date.parse(value)
  if (Number.isNaN(date)) throw fail('E_QUERY', { name, problem: `${value.slice(0, 40)} is no time` })
  return BigInt(date) * 1_000_000n
}

/** `filters`: {"name":{"value":true}} as Go writes it, or {"name":["value"]} as others do. @throws E_QUERY */
export function filters(query: Query): Record<string, string[]> {
  const value = text(query, 'filters')
  if (!value) return {}
  const refuse = () => fail('E_QUERY', { name: 'filters', problem: 'is no JSON map of names to values' })
  let parsed: unknown
  try {
    parsed = JSON.parse(value)
  } catch {
    throw refuse()
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw refuse()
  const result: Record<string, string[]> = {}
  for (const [name, values] of Object.entries(parsed)) {
    if (Array.isArray(values) && values.every((v) => typeof v === 'string')) result[name] = values
    else if (typeof values === 'object' && values !== null) {
      result[name] = Object.entries(values).flatMap(([key, on]) => (on ? [key] : []))
    } else throw refuse()
  }
  return result
}
