import type { Clock } from '../../src/swarm/context.ts'

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  #now: number
  #timers: { atMs: number; fn: () => void }[] = []

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    const timer = { atMs: this.#now + ms, fn }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  /** Moves time on and fires what is due, in order. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0]
      if (!due) break
      this.#now = Math.max(this.#now, due.atMs)
      this.#timers = this.#timers.filter((timer) => timer !== due)
      due.fn()
    }
    this.#now = end
  }
}
