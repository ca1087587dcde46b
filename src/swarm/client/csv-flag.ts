/**
 * Values of flags that have several members: "type=bind,source=/a,readonly". A member with a comma in it stands
 * in quotes, as in CSV: 'type=volume,"volume-opt=o=addr=10.0.0.1,rw"'.
 */
import { fail } from '../errors.ts'

export interface CsvFlag {
  keys(): string[]
  /** The value that stands last; "true" for a key without one. */
  last(key: string): string | undefined
  all(key: string): string[]
  /** Undefined when it was not given. @throws E_FLAG_INVALID for what is neither true nor false */
  isOn(key: string): boolean | undefined
  /** Values that are NAME=VALUE. Undefined when there is none. @throws E_FLAG_INVALID */
  pairs(key: string): Record<string, string> | undefined
  /** As `pairs`; one without "=" has an empty value. */
  labels(key: string): Record<string, string> | undefined
}

/** @throws E_FLAG_INVALID for a key that is none of the known, and for a quote that is not closed */
export function csvFlag(flag: string, value: string, known: readonly string[]): CsvFlag {
  const refuse = (why: string) => fail('E_FLAG_INVALID', { flag, value, why })
  const members = new Map<string, string[]>()
  for (const field of fieldsOf(value) ?? []) {
    const [, name = '', text = 'true'] = /^([^=]*)(?:=(.*))?$/s.exec(field)!
    const key = name.trim().toLowerCase()
    if (!known.includes(key)) throw refuse(`there is no '${key}' in it`)
    members.set(key, [...(members.get(key) ?? []), text])
  }
  if (members.size === 0) throw refuse('a quote is not closed, or does not begin a member')
  const last = (key: string) => members.get(key)?.at(-1)
  return {
    keys: () => [...members.keys()],
    last,
    all: (key) => members.get(key) ?? [],
    isOn(key) {
      const text = last(key)
      if (text === undefined) return undefined
      if (['true', '1'].includes(text)) return true
      if (['false', '0'].includes(text)) return false
      throw refuse(`${key} is true or false`)
    },
    pairs(key) {
      const wrong = members.get(key)?.find((text) => !/^[^=]+=/.test(text))
      if (wrong !== undefined) throw refuse(`${key} is NAME=VALUE, not '${wrong}'`)
      return recordOf(members.get(key))
    },
    labels: (key) => recordOf(members.get(key)),
  }
}

/** Undefined where quotes are not as CSV has them. */
function fieldsOf(value: string): string[] | undefined {
  if (!/^(?:"(?:[^"]|"")*"|[^",]*)(?:,(?:"(?:[^"]|"")*"|[^",]*))*$/.test(value)) return undefined
  return [...value.matchAll(/(?<=^|,)(?:"((?:[^"]|"")*)"|([^",]*))(?=,|$)/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain!,
  )
}

function recordOf(texts: string[] | undefined): Record<string, string> | undefined {
  return texts && Object.fromEntries(texts.map((text) => pairOf(text)))
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
