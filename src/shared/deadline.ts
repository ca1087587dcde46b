/**
 * Waiting, always with a limit and always for something named.
 */
import { setTimeout as sleep } from 'node:timers/promises'

/** Thrown when a wait's limit is over; `waitedFor` is what the caller named. */
export class WaitTimeout extends Error {
  override readonly name = 'WaitTimeout'
  readonly code = 'E_TIMEOUT'
  readonly waitedFor: string
  readonly timeoutMs: number
  constructor(waitedFor: string, timeoutMs: number, cause?: unknown) {
    super(`waited ${formatMs(timeoutMs)} for ${waitedFor}`, cause === undefined ? undefined : { cause })
    this.waitedFor = waitedFor
    this.timeoutMs = timeoutMs
  }
}

export interface WaitOptions {
  /** The whole wait's limit. */
  timeoutMs: number
  /** Pause between two tries; 50 ms when left out. */
  everyMs?: number
  signal?: AbortSignal
}

/**
 * Calls `probe` until it gives something other than undefined, and returns that.
 * An error that `probe` throws ends the wait, unless it carries `retryable: true`; the last of those becomes
 * the cause of the timeout.
 * @throws {WaitTimeout} when the limit is over; the signal's reason when aborted
 */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  options: WaitOptions,
): Promise<T> {
  const end = performance.now() + options.timeoutMs
  let last: unknown
  for (;;) {
    options.signal?.throwIfAborted()
    try {
      const value = await probe()
      if (value !== undefined) return value
    } catch (error) {
      if (!(error as { retryable?: boolean }).retryable) throw error
      last = error
    }
    const left = end - performance.now()
    if (left <= 0) throw new WaitTimeout(what, options.timeoutMs, last)
    await sleep(Math.min(options.everyMs ?? 50, left), undefined, { signal: options.signal })
  }
}

/**
 * The promise's outcome, or a timeout when it has none within the limit. The work itself goes on: give it a
 * signal of its own where it can be stopped.
 * @throws {WaitTimeout}
 */
export async function within<T>(what: string, timeoutMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new WaitTimeout(what, timeoutMs)), timeoutMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The promise's outcome, or the signal's reason as soon as it is aborted. The work itself goes on.
 */
export async function orAborted<T>(signal: AbortSignal | undefined, promise: Promise<T>): Promise<T> {
  if (!signal) return promise
  const aborted = Promise.withResolvers<never>()
  const stop = () => aborted.reject(signal.reason)
  if (signal.aborted) stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** 1500 -> "1.5s", 90000 -> "1m30s": durations as Go, and so Docker, writes them. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  const minutes = Math.floor(ms / 60000)
  const seconds = Math.round((ms - minutes * 60000) / 100) / 10
  return minutes ? `${minutes}m${seconds ? `${seconds}s` : ''}` : `${seconds}s`
}
