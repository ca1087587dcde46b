/**
 * The newest batches of a store, for its watches. Each watch has only a position, so that a slow one costs
 * nothing: it reads on from where it was, out of this log or, where the log no longer reaches, from the store.
 */
import { fail } from '../errors.ts'
import type { Batch, WatchOptions } from './store.ts'

/** Gives the batches after `from` that the log has dropped (at least the first of them). */
export type OlderBatches = (from: number) => Promise<Batch[]>

export class ChangeLog {
  #batches: Batch[] = []
  #start = 0
  /** Batches after this revision are in the log. */
  #since: number
  #last: number
  readonly #waiting = new Set<() => void>()
  #closed = false
  #failure: Error | undefined
  readonly #limit: number

  /** @param limit batches to keep; Infinity for a store that has no other place for them */
  constructor(revision: number, limit: number) {
    this.#since = revision
    this.#last = revision
    this.#limit = limit
  }

  get revision(): number {
    return this.#last
  }

  /** Takes the next batches, in order, and wakes the watches. */
  append(batches: Batch[]): void {
    if (batches.length === 0) return
    for (const batch of batches) this.#batches.push(batch)
    this.#last = batches.at(-1)!.revision
    const surplus = this.#batches.length - this.#start - this.#limit
    if (surplus > 0) this.#drop(surplus)
    this.#wake()
  }

  /** Forgets batches up to and with this revision. */
  forget(revision: number): void {
    let count = 0
    while (this.#start + count < this.#batches.length) {
      if (this.#batches[this.#start + count]!.revision > revision) break
      count++
    }
    this.#drop(count)
    this.#since = Math.max(this.#since, revision)
  }

  /** Ends all watches; with a failure they throw it. */
  close(failure?: Error): void {
    this.#failure ??= failure
    this.#closed = true
    this.#wake()
  }

  async *watch(prefix: string, options: WatchOptions, older: OlderBatches): AsyncGenerator<Batch> {
    let position = options.from
    const { signal } = options
    while (!this.#closed && !signal?.aborted) {
      if (position >= this.#last) {
        await this.#changed(signal)
        continue
      }
      const batches = position >= this.#since ? this.#after(position) : await older(position)
      for (const batch of batches) {
        if (signal?.aborted) return
        position = batch.revision
        const changes = prefix === '' ? batch.changes : batch.changes.filter((c) => c.key.startsWith(prefix))
        if (changes.length > 0) yield { revision: batch.revision, changes }
      }
    }
    if (this.#failure && !signal?.aborted) throw this.#failure
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  /** Resolves at the next batch, at the end of the log or when the signal aborts. */
  async #changed(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', resolve as () => void, { once: true })
    await promise
    signal?.removeEventListener('abort', resolve as () => void)
    this.#waiting.delete(resolve)
  }

  #after(position: number): Batch[] {
    let low = this.#start
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches[middle]!.revision <= position) low = middle + 1
      else high = middle
    }
    return this.#batches.slice(low)
  }

  #drop(count: number): void {
    if (count === 0) return
    this.#since = this.#batches[this.#start + count - 1]!.revision
    this.#start += count
    if (this.#start > this.#batches.length / 2) {
      this.#batches = this.#batches.slice(this.#start)
      this.#start = 0
    }
  }
}

/** @throws E_STORE_COMPACTED when the revision can't be read any more */
export function assertKept(revision: number, compacted: number): void {
  if (revision < compacted) throw fail('E_STORE_COMPACTED', { revision, compacted })
}
