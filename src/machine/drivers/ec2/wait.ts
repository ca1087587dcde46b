/** Waiting on the clock that the driver was given, always with a limit. */
import type { Clock } from '../../../shared/clock.ts'

/** @throws the signal's reason when it is aborted */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const stop = () => {
      cancel()
      reject(signal!.reason)
    }
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Pauses between looks: short at first, since most things are quick, then sparing with calls. */
const firstPauseMs = 1_000
const longestPauseMs = 15_000

export interface Patience {
  clock: Clock
  /** When to give up, ms since 1970; there is always one look. */
  untilMs: number
  signal?: AbortSignal
  /** Told how long is left, in seconds, before each pause. */
  tell?: (secondsLeft: number) => void
}

/** Looks until there is something; undefined when the time is over. */
export async function lookUntil<T>(
  { clock, untilMs, signal, tell }: Patience,
  look: () => Promise<T | undefined>,
): Promise<T | undefined> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 1.5)) {
    signal?.throwIfAborted()
    const found = await look()
    if (found !== undefined) return found
    const leftMs = untilMs - clock.now()
    if (leftMs <= 0) return undefined
    tell?.(Math.ceil(leftMs / 1000))
    await sleep(clock, Math.min(pauseMs, leftMs), signal)
  }
}
