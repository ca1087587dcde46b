/** GET /containers/{id}/logs. */

import { failures } from '../../shared/errors.ts'
import type { Container } from '../containers/container.ts'
import { type Chunk, type Growth, type Line, openLog, readChunks, readLines } from '../runtime/logs/reader.ts'
import { frame } from './frames.ts'
import { flag, type Query, text, timeNs } from './query.ts'

const fail = failures({
  E_LOG_STREAMS: {
    kind: 'user',
    http: 400,
    text: () => 'Bad parameters: you must choose at least one stream',
  },
  E_LOG_TAIL: {
    kind: 'user',
    http: 400,
    text: (p: { tail: string }) => `invalid tail: ${p.tail} is no number of lines`,
  },
} as const)

export interface LogOptions {
  stdout: boolean
  stderr: boolean
  follow: boolean
  timestamps: boolean
  details: boolean
  sinceNs?: bigint
  untilNs?: bigint
  /** The last so many lines; all when left out. */
  tail?: number
}

/** @throws E_LOG_STREAMS, E_LOG_TAIL, E_QUERY */
export function logOptions(query: Query): LogOptions {
  const options = {
    stdout: flag(query, 'stdout'),
    stderr: flag(query, 'stderr'),
    follow: flag(query, 'follow'),
    timestamps: flag(query, 'timestamps'),
    details: flag(query, 'details'),
    sinceNs: timeNs(query, 'since'),
    untilNs: timeNs(query, 'until'),
    tail: tailOf(text(query, 'tail')),
  }
  if (!options.stdout && !options.stderr) throw fail('E_LOG_STREAMS', {})
  return options
}

function tailOf(value: string | undefined): number | undefined {
  if (value === undefined || value === '' || value === 'all') return undefined
  if (!/^-?\d{1,15}$/.test(value)) throw fail('E_LOG_TAIL', { tail: value.slice(0, 40) })
  return Number(value) < 0 ? undefined : Number(value)
}

/** What a client gets, framed unless the container has a terminal; ends with the log, or with the run. */
export async function* streamLogs(
  container: Container,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const terminal = container.record.config.Tty
  const growth = options.follow && container.isRunning ? container.watchOutput() : undefined
  try {
    // Nothing asks for lines: portions pass as they are, which is many times quicker.
    const wanted = isPlain(options)
      ? readChunks(container.logs, { growth, signal })
      : selectLines(container, withNow(container, growth, signal), options)
    for await (const { stream, data } of wanted) {
      if (!options[stream]) continue
      yield terminal ? data : frame(stream, data)
    }
  } finally {
    growth?.stop()
  }
}

function isPlain(options: LogOptions): boolean {
  const { timestamps, details, sinceNs, untilNs, tail } = options
  return !timestamps && !details && sinceNs === undefined && untilNs === undefined && tail === undefined
}

/** Stands between what was there when the client asked and what came after. */
const now = 'now'
type Now = typeof now

async function* withNow(
  container: Container,
  growth: Growth | undefined,
  signal: AbortSignal,
): AsyncGenerator<Chunk | Now> {
  await using log = await openLog(container.logs)
  const end = await log.end()
  yield* log.read({ to: end, signal })
  yield now
  if (growth) yield* log.read({ from: end, growth, signal })
}

async function* selectLines(
  container: Container,
  chunks: AsyncIterable<Chunk | Now>,
  options: LogOptions,
): AsyncGenerator<Line> {
  const { sinceNs, untilNs, tail } = options
  const passes = (line: Line) =>
    options[line.stream] &&
    (sinceNs === undefined || line.timeNs >= sinceNs) &&
    (untilNs === undefined || line.timeNs <= untilNs)
  // The last `tail` of the lines that are there now are held until now is reached.
  const held: Line[] = []
  let holding = tail !== undefined
  const decorate = (line: Line) => ({
    ...line,
    data: Buffer.concat([prefix(container, line, options), line.data]),
  })
  for await (const line of readLines<Now>(chunks)) {
    if (line === now) {
      holding = false
      yield* held.splice(0).map(decorate)
    } else if (holding) {
      if (!passes(line)) continue
      held.push(line)
      if (held.length > tail!) held.shift()
    } else {
      if (untilNs !== undefined && line.timeNs > untilNs) return
      if (passes(line)) yield decorate(line)
    }
  }
}

function prefix(container: Container, line: Line, options: LogOptions): Buffer {
  const parts: string[] = []
  if (options.timestamps) {
    parts.push(Temporal.Instant.fromEpochNanoseconds(line.timeNs).toString({ smallestUnit: 'nanosecond' }))
  }
  if (options.details) {
    const extra = container.record.hostConfig.LogConfig.Config
    const names = [...(extra.labels?.split(',') ?? [])].filter(
      (n) => container.record.config.Labels[n] !== undefined,
    )
    parts.push(
      names
        .sort()
        .map((n) => `${n}=${container.record.config.Labels[n]}`)
        .join(','),
    )
  }
  return Buffer.from(parts.length > 0 ? `${parts.join(' ')} ` : '')
}
