import type { Clock } from '../context.ts'

/** For each key at most one time at which `wake` is called with it. */
export class WakeTimes {
  readonly #clock: Clock
  readonly #wake: (key: string) => void
  readonly #timers = new Map<string, { atMs: number; cancel: () => void }>()

  constructor(clock: Clock, wake: (key: string) => void) {
    this.#clock = clock
    this.#wake = wake
  }

  /** Replaces the key's time; undefined takes it away. */
  set(key: string, atMs: number | undefined): void {
    const known = this.#timers.get(key)
    if (known?.atMs === atMs) return
    known?.cancel()
    this.#timers.delete(key)
    if (atMs === undefined) return
    const cancel = this.#clock.after(Math.max(1, Math.ceil(atMs - this.#clock.now())), () => {
      this.#timers.delete(key)
      this.#wake(key)
    })
    this.#timers.set(key, { atMs, cancel })
  }

  close(): void {
    for (const { cancel } of this.#timers.values()) cancel()
    this.#timers.clear()
  }
}
