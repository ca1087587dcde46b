/**
 * Reads values out of a checked Compose content: in the forms that the schema allows, with the place of what
 * is wrong.
 */
import { parseBytes, parseDuration } from '../../shared/units.ts'
import { fail } from '../errors.ts'
import type { ComposeContent } from './load.ts'
import { isMap, pairsOf } from './merge.ts'
import type { Path } from './source.ts'

export class Reader {
  readonly path: Path
  readonly #value: unknown
  readonly #compose: ComposeContent

  /** Of the whole content unless `path` and `value` say which part. */
  constructor(compose: ComposeContent, path: Path = [], ...value: [unknown?]) {
    this.#compose = compose
    this.path = path
    this.#value = value.length > 0 ? value[0] : compose.content
  }

  get folder(): string {
    return this.#compose.folder
  }

  get variables() {
    return this.#compose.variables
  }

  get isThere(): boolean {
    return this.#value !== undefined && this.#value !== null
  }

  get isMap(): boolean {
    return isMap(this.#value)
  }

  get isText(): boolean {
    return typeof this.#value === 'string'
  }

  at(key: string): Reader {
    return new Reader(this.#compose, [...this.path, key], isMap(this.#value) ? this.#value[key] : undefined)
  }

  keys(): string[] {
    return isMap(this.#value) ? Object.keys(this.#value).filter((key) => !key.startsWith('x-')) : []
  }

  /** A list's items; a single value is a list of one. */
  items(): Reader[] {
    if (!this.isThere) return []
    if (!Array.isArray(this.#value)) return [this]
    return this.#value.map((item, i) => new Reader(this.#compose, [...this.path, i], item))
  }

  text(): string | undefined {
    return this.isThere ? String(this.#value) : undefined
  }

  texts(): string[] | undefined {
    return this.isThere ? this.items().map((item) => item.text() ?? '') : undefined
  }

  /** {"a": 1} or ["a=1"]; null for a key without value. */
  pairs(): Record<string, string | null> {
    const entries = Object.entries(pairsOf(this.#value))
    return Object.fromEntries(
      entries.map(([key, value]) => [key, value === null || value === undefined ? null : String(value)]),
    )
  }

  flag(): boolean | undefined {
    const text = this.text()?.toLowerCase()
    if (text === undefined) return undefined
    if (['true', 'yes', 'on', '1'].includes(text)) return true
    if (['false', 'no', 'off', '0', ''].includes(text)) return false
    throw this.invalid(`${text} is neither true nor false`)
  }

  number(): number | undefined {
    const text = this.text()
    if (text === undefined || text === '') return undefined
    const number = Number(text)
    if (!Number.isFinite(number)) throw this.invalid(`${text} is not a number`)
    return number
  }

  count(): number | undefined {
    const number = this.number()
    if (number === undefined || (Number.isSafeInteger(number) && number >= 0)) return number
    throw this.invalid(`${number} is not a whole number from 0`)
  }

  /** "1m30s" -> nanoseconds. */
  duration(): number | undefined {
    const text = this.text()
    if (text === undefined) return undefined
    const ns = parseDuration(text)
    if (ns === undefined) throw this.invalid(`'${text}' is not a duration such as 10s or 1m30s`)
    return ns
  }

  /** "512m" -> bytes. */
  bytes(): number | undefined {
    const text = this.text()
    if (text === undefined) return undefined
    const bytes = parseBytes(text)
    if (bytes === undefined) throw this.invalid(`'${text}' is not a size such as 512m or 1g`)
    return bytes
  }

  /** "0.5" -> billionths of a CPU. */
  cpus(): number | undefined {
    const number = this.number()
    return number === undefined ? undefined : Math.round(number * 1e9)
  }

  oneOf<T extends string>(known: readonly T[]): T | undefined {
    const text = this.text()
    if (text === undefined) return undefined
    if ((known as readonly string[]).includes(text)) return text as T
    throw this.invalid(`'${text}' is none of ${known.join(', ')}`)
  }

  /** "compose.yaml:3: services.web" */
  get where(): string {
    const { file, line } = this.#compose.place(this.path)
    return `${file}:${line}: ${this.path.join('.')}`
  }

  /** The failure that points here. */
  invalid(why: string): Error {
    return fail('E_COMPOSE_INVALID', { ...this.#compose.place(this.path), key: this.path.join('.'), why })
  }

  warn(why: string): void {
    this.#compose.warnings.push(`${this.where}: ${why}`)
  }
}
