/**
 * One account's calls in one region, spaced so that the cloud takes them: a token bucket whose rate halves when
 * the cloud says that it is too much, and comes back slowly. All machines of a process share it.
 */
import type { Clock } from '../../../shared/clock.ts'
import { sleep } from './wait.ts'

/** Far below what EC2 grants for describes, and about what it grants for creating calls. */
const most = { perSecond: 20, burst: 40 }
const leastPerSecond = 0.5

export class Throttle {
  readonly #clock: Clock
  #perSecond = most.perSecond
  /** When the next call may go, had there been no burst. */
  #nextMs = 0
  #slowedMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get perSecond(): number {
    return this.#perSecond
  }

  /** Waits for this call's turn; turns are given in the order of asking. */
  async take(signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now()
    const spacing = 1000 / this.#perSecond
    // After a slow-down there is no burst: the cloud's own bucket is empty.
    const burstMs = this.#perSecond === most.perSecond ? (most.burst - 1) * spacing : 0
    const turn = Math.max(this.#nextMs, now - burstMs)
    this.#nextMs = turn + spacing
    if (turn > now) await sleep(this.#clock, turn - now, signal)
  }

  /** The cloud refused for too many calls. Those under way at once count as one refusal. */
  slowDown(): void {
    const now = this.#clock.now()
    if (now - this.#slowedMs < 1000) return
    this.#slowedMs = now
    this.#perSecond = Math.max(leastPerSecond, this.#perSecond / 2)
    this.#nextMs = Math.max(this.#nextMs, now + 1000 / this.#perSecond)
  }

  /** A call went through. */
  speedUp(): void {
    this.#perSecond = Math.min(most.perSecond, this.#perSecond * 1.01)
  }
}
