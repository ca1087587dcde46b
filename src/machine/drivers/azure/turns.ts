/**
 * One subscription's calls, spaced so that the service takes them, whatever the number of machines that are made at
 * once. Without turns, many that are put off come back all at once, and some are put off for ever.
 */
import type { Clock } from '../../../shared/clock.ts'
import { pause } from './pace.ts'

/**
 * Somewhat below what is granted to one who signs in: 25 reads and 10 writes a second, after 250 and 200 at once.
 * @see https://learn.microsoft.com/azure/azure-resource-manager/management/request-limits-and-throttling
 */
const most = { perSecond: 15, burst: 100 }
const leastPerSecond = 0.5
/** Refusals that come together are one. */
const togetherMs = 1_000

export class Turns {
  readonly #clock: Clock
  #perSecond = most.perSecond
  /** When the next call's turn is. */
  #nextMs = 0
  #slowedMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Waits for this call's turn; turns are given in the order of asking. */
  async take(signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const spacing = 1_000 / this.#perSecond
    // Once it was too much there is no more at once: the service's own store is empty.
    const burstMs = this.#slowedMs === Number.NEGATIVE_INFINITY ? (most.burst - 1) * spacing : 0
    const turn = Math.max(this.#nextMs, now - burstMs)
    this.#nextMs = turn + spacing
    if (turn > now) await pause(this.#clock, turn - now, signal)
  }

  /** The service refused for too many calls. */
  slowDown(): void {
    const now = this.#clock.now()
    if (now - this.#slowedMs < togetherMs) return
    this.#slowedMs = now
    this.#perSecond = Math.max(leastPerSecond, this.#perSecond / 2)
    this.#nextMs = Math.max(this.#nextMs, now + 1_000 / this.#perSecond)
  }

  /** A call went through. */
  speedUp(): void {
    this.#perSecond = Math.min(most.perSecond, this.#perSecond * 1.01)
  }
}
