/**
 * How everything here fails.
 *
 * An area (machine, engine, swarm) declares its failures once, in a table of its own: code, exit code,
 * HTTP status, the sentence for people and the next step. `failures(table)` turns the table into a function
 * that makes a `Failure`. Nothing is ever told apart by the text of a message; a caller looks at `code`.
 * docs/errors.md lists every table, and a test compares the two.
 */

/** Who has to act: the user, somebody outside (a cloud, a host, a tool), or we ourselves. */
export type FailureKind = 'user' | 'outside' | 'bug'

/** One row of an area's table. `text` and `next` get the parameters named at the throw. */
export interface FailureRow<P> {
  kind: FailureKind
  /** Exit code of a command that ends with it; 1 when left out. */
  exit?: number
  /** HTTP status of an API call that ends with it; 500 when left out. */
  http?: number
  /** One line: what went wrong, and where. */
  text: (p: P) => string
  /** One line: what to do about it. */
  next?: (p: P) => string
  /** True when the same call may succeed later without any change. */
  retryable?: boolean
}

/** What an error carries for programs. oclif prints `code`, `suggestions` and `cause` by itself. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: string
  readonly kind: FailureKind
  readonly exit: number
  readonly http: number
  readonly retryable: boolean
  readonly suggestions: string[]
  /** The exit code where oclif looks for it. */
  readonly oclif: { exit: number }

  constructor(
    code: string,
    row: FailureRow<never>,
    message: string,
    next: string | undefined,
    cause: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.kind = row.kind
    this.exit = row.exit ?? 1
    this.http = row.http ?? 500
    this.retryable = row.retryable ?? false
    this.suggestions = next ? [next] : []
    this.oclif = { exit: this.exit }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: a row's parameters are checked where it is thrown, by `Params`
export type FailureTable = Record<string, FailureRow<any>>
type Params<T extends FailureTable, C extends keyof T> =
  Parameters<T[C]['text']> extends [infer P] ? P : Record<string, never>

/** Makes the function that makes an area's failures: `throw fail('E_IMAGE_UNKNOWN', { name }, cause)`. */
export function failures<T extends FailureTable>(table: T) {
  return <C extends keyof T & string>(code: C, params: Params<T, C>, cause?: unknown): Failure => {
    const row = table[code]!
    return new Failure(code, row as FailureRow<never>, row.text(params), row.next?.(params), cause)
  }
}

/** True when `error` is a failure with one of these codes. */
export function isFailure(error: unknown, ...codes: string[]): error is Failure {
  return error instanceof Failure && (codes.length === 0 || codes.includes(error.code))
}

/** The `code` of a system error such as ENOENT, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The message and those of its causes, one a line, for `--debug` and the daemon's log. */
export function causeChain(error: unknown): string[] {
  const lines: string[] = []
  for (let e: unknown = error; e !== undefined && e !== null && lines.length < 10; e = (e as Error).cause) {
    lines.push(messageOf(e))
  }
  return lines
}
