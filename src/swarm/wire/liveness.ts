/**
 * Who has been heard of lately. Deadlines are counted in time that this thread itself was running: when a tick
 * comes late, because the process was stopped or starved, every deadline moves by as much. Who could not
 * listen has no right to call others silent.
 */
export class Liveness {
  readonly #tickMs: number
  readonly #deadlines = new Map<string, number>()
  #lastTick: number

  /** @param tickMs how often `tick` will be called */
  constructor(tickMs: number, nowMs: number) {
    this.#tickMs = tickMs
    this.#lastTick = nowMs
  }

  /** Expects to hear of `id` within `graceMs`. */
  expect(id: string, nowMs: number, graceMs: number): void {
    this.#deadlines.set(id, nowMs + graceMs)
  }

  /** Moves the deadline of one that is expected. */
  heard(id: string, nowMs: number, graceMs: number): void {
    if (this.#deadlines.has(id)) this.#deadlines.set(id, nowMs + graceMs)
  }

  forget(id: string): void {
    this.#deadlines.delete(id)
  }

  /** Those whose time is over; they are expected no more. */
  tick(nowMs: number): string[] {
    const late = nowMs - this.#lastTick - this.#tickMs
    this.#lastTick = nowMs
    if (late > this.#tickMs) {
      for (const [id, deadline] of this.#deadlines) this.#deadlines.set(id, deadline + late)
    }
    const silent = [...this.#deadlines].filter(([, deadline]) => deadline <= nowMs).map(([id]) => id)
    for (const id of silent) this.#deadlines.delete(id)
    return silent
  }
}
