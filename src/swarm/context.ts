/**
 * What every part of the swarm gets handed instead of reaching for it: time, ids and a log. Tests and
 * simulations give their own, so that a run can be repeated exactly.
 */
import { newSwarmId } from '../shared/ids.ts'

/** Wall-clock time and timers. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `fn` once after `ms`; the returned function cancels. */
  after(ms: number, fn: () => void): () => void
}

/** The part of pino's interface that the swarm uses: fields first, then one sentence. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

export interface Context {
  clock: Clock
  log: Log
  /** A new id of Swarm's form: 25 digits of base 36. */
  newId: () => string
}

/** Timers take at most this many milliseconds; a longer one fires early and its user looks at the clock. */
const longestTimerMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, Math.min(Math.max(0, ms), longestTimerMs))
    return () => clearTimeout(timer)
  },
}

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} }

/** The real clock and random ids, with the given log. */
export function systemContext(log: Log = silentLog): Context {
  return { clock: systemClock, log, newId: newSwarmId }
}
