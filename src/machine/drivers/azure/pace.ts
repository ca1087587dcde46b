/**
 * When to ask again. The service says it of each operation (Retry-After); where it doesn't, we do. All waiting goes
 * through the clock, so that tests needn't wait.
 */
import type { Clock } from '../../../shared/clock.ts'

/** How long to be patient, in milliseconds. */
export interface Limits {
  /** For the answer to one request. */
  requestMs: number
  /** For one call that is put off: busy, failing. NICs stay reserved for three minutes. */
  busyMs: number
  /** For one call that is too much among many. */
  throttledMs: number
  /** For the removal of what something else stands on. */
  inUseMs: number
  /** For one call that never gets an answer. */
  lostMs: number
  /** For an operation that was accepted. */
  operationMs: number
  /** Between two looks at an operation, where the service doesn't say. */
  pollMs: number
}

export const defaultLimits: Limits = {
  requestMs: 60_000,
  busyMs: 300_000,
  throttledMs: 900_000,
  inUseMs: 30_000,
  lostMs: 150_000,
  operationMs: 900_000,
  pollMs: 2_000,
}

/** Never longer than this between two tries, whatever the service says. */
const longestPauseMs = 60_000

/** Waits, or throws the signal's reason as soon as it is aborted. */
export async function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = clock.after(ms, resolve)
  const stop = () => {
    cancel()
    reject(signal?.reason)
  }
  signal?.addEventListener('abort', stop, { once: true })
  try {
    await promise
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

/**
 * Retry-After in milliseconds: seconds or an HTTP date; undefined where it is neither.
 * @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function retryAfterMs(value: string | undefined, nowMs: number): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), longestPauseMs) : undefined
}

/** Doubles from half a second to half a minute; between half and the whole of it, so that many don't meet. */
export function backoffMs(attempt: number, random: () => number): number {
  const whole = Math.min(30_000, 500 * 2 ** attempt)
  return whole / 2 + (whole / 2) * random()
}

/** What the service said of the operations that are underway, by the path that tells of them. */
export class PollTimes {
  readonly #ms = new Map<string, number>()

  note(url: string, ms: number | undefined): void {
    if (ms === undefined) this.#ms.delete(pathOf(url))
    else this.#ms.set(pathOf(url), ms)
  }

  of(url: string | undefined): number | undefined {
    return url === undefined ? undefined : this.#ms.get(pathOf(url))
  }
}

function pathOf(url: string): string {
  return new URL(url, 'https://localhost').pathname
}
