/**
 * Compose files as text: YAML with the place of every key, so that what is wrong can be pointed at.
 */
import {
  type Alias,
  type Document,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type Node as YamlNode,
} from 'yaml'
import { fail } from '../errors.ts'
import { InterpolationError, interpolate, type Variables } from './interpolate.ts'

export type Path = (string | number)[]

export interface Place {
  file: string
  line: number
}

export class SourceFile {
  readonly file: string
  readonly #document: Document
  readonly #lines = new LineCounter()

  /** @throws E_COMPOSE_SYNTAX */
  constructor(file: string, text: string) {
    this.file = file
    this.#document = parseDocument(text, { lineCounter: this.#lines, merge: true, uniqueKeys: true })
    const [error] = this.#document.errors
    if (!error) {
      this.#assertNoCircle()
      return
    }
    const line = this.#lines.linePos(error.pos[0]).line
    throw fail('E_COMPOSE_SYNTAX', {
      file,
      line,
      why: error.message.split('\n')[0]!.replace(/ at line \d+.*$/, ''),
    })
  }

  #syntax(alias: Alias, why: string): Error {
    const line = this.#lines.linePos(alias.range?.[0] ?? 0).line
    return fail('E_COMPOSE_SYNTAX', { file: this.file, line, why: `*${alias.source}: ${why}` })
  }

  #assertNoCircle(): void {
    visit(this.#document, {
      Alias: (_, alias, path) => {
        const target = alias.resolve(this.#document)
        if (target && path.some((one) => one === target))
          throw this.#syntax(alias, 'an alias stands within what it stands for')
      },
    })
  }

  /** The file's values, aliases followed. @throws E_COMPOSE_SYNTAX where they make too many of them */
  #values(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 1000 })
    } catch (error) {
      let last: Alias | undefined
      visit(this.#document, {
        Alias: (_, alias) => {
          last = alias
        },
      })
      if (!last || !(error instanceof ReferenceError)) throw error
      throw this.#syntax(last, 'aliases of aliases make more than 1000 copies')
    }
  }

  /** The line of a key, or of the nearest thing above it that is in the file. */
  lineOf(path: Path): number {
    let node: unknown = this.#document.contents
    let offset = (node as YamlNode | null)?.range?.[0] ?? 0
    for (const part of path) {
      if (!isCollection(node)) break
      const pair = isMap(node)
        ? node.items.find(({ key }) => (isScalar(key) ? `${key.value}` : `${key}`) === `${part}`)
        : undefined
      const key = pair?.key as YamlNode | undefined
      node = isMap(node) ? pair?.value : node.get(part, true)
      const range = key?.range ?? (node as YamlNode | undefined)?.range
      if (!range) break
      offset = range[0]
    }
    return this.#lines.linePos(offset).line
  }

  has(path: Path): boolean {
    return this.#document.hasIn(path)
  }

  /**
   * The file's content with variables filled in.
   * @param unset is called with each variable that has neither value nor default
   * @throws E_COMPOSE_INVALID, E_COMPOSE_SYNTAX
   */
  content(variables: Variables, unset: (name: string, place: Place) => void): unknown {
    return this.#fill(this.#values(), [], variables, unset)
  }

  #fill(
    value: unknown,
    path: Path,
    variables: Variables,
    unset: (name: string, place: Place) => void,
  ): unknown {
    if (typeof value === 'string') {
      try {
        const { text, unset: names } = interpolate(value, variables)
        for (const name of names) unset(name, { file: this.file, line: this.lineOf(path) })
        return text
      } catch (error) {
        if (!(error instanceof InterpolationError)) throw error
        throw fail('E_COMPOSE_INVALID', {
          file: this.file,
          line: this.lineOf(path),
          key: path.join('.'),
          why: error.message,
        })
      }
    }
    if (Array.isArray(value)) return value.map((one, i) => this.#fill(one, [...path, i], variables, unset))
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, this.#fill(one, [...path, key], variables, unset)]),
    )
  }
}
