/** Wall-clock time and timers, handed to what needs them, so that tests can give their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `fn` once after `ms`; the returned function cancels. */
  after(ms: number, fn: () => void): () => void
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
