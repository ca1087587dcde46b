import type { Clock } from './context.ts'

/**
 * Gathers items for a moment and hands them on together, one batch at a time: what comes while a batch is
 * being handled makes the next one.
 */
export class Batcher<T> {
  readonly #clock: Clock
  readonly #delayMs: number
  readonly #handle: (items: T[]) => Promise<void>
  #items: T[] = []
  #busy: Promise<void> | undefined
  #cancel: (() => void) | undefined

  /** @param handle must not reject: it deals with its own failures */
  constructor(clock: Clock, delayMs: number, handle: (items: T[]) => Promise<void>) {
    this.#clock = clock
    this.#delayMs = delayMs
    this.#handle = handle
  }

  add(...items: T[]): void {
    this.#items.push(...items)
    if (this.#busy || this.#cancel) return
    this.#cancel = this.#clock.after(this.#delayMs, () => this.#begin())
  }

  /** Hands on what is there and resolves when all is handled. */
  async drain(): Promise<void> {
    this.#cancel?.()
    if (!this.#busy) this.#begin()
    while (this.#busy) await this.#busy
  }

  #begin(): void {
    this.#cancel = undefined
    this.#busy = this.#run().finally(() => {
      this.#busy = undefined
      if (this.#items.length > 0) this.#begin()
    })
  }

  async #run(): Promise<void> {
    while (this.#items.length > 0) {
      const items = this.#items
      this.#items = []
      await this.#handle(items)
    }
  }
}
