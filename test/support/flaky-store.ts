import { fail } from '../../src/swarm/errors.ts'
import type {
  Batch,
  Entry,
  ListOptions,
  Outcome,
  Store,
  StoreStats,
  Transaction,
  WatchOptions,
} from '../../src/swarm/store/store.ts'

/** A store that keeps all but what it is told to fail, as a full disk does for a moment. */
export class FlakyStore implements Store {
  failures = 0
  readonly #store: Store
  #fails: ((transaction: Transaction) => boolean) | undefined

  constructor(store: Store) {
    this.#store = store
  }

  /** Fails the next commit that matches. */
  failOnce(matches: (transaction: Transaction) => boolean): void {
    this.#fails = matches
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    if (!this.#fails?.(transaction)) return this.#store.commit(transaction)
    this.#fails = undefined
    this.failures++
    throw fail('E_STORE_FAILED', { why: 'disk full' })
  }

  get(key: string, revision?: number): Promise<Entry | undefined> {
    return this.#store.get(key, revision)
  }

  list(prefix: string, options?: ListOptions): Promise<{ revision: number; entries: Entry[] }> {
    return this.#store.list(prefix, options)
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Batch> {
    return this.#store.watch(prefix, options)
  }

  grantLease(ttlMs: number): Promise<string> {
    return this.#store.grantLease(ttlMs)
  }

  renewLease(lease: string): Promise<boolean> {
    return this.#store.renewLease(lease)
  }

  revokeLease(lease: string): Promise<void> {
    return this.#store.revokeLease(lease)
  }

  compact(revision: number): Promise<void> {
    return this.#store.compact(revision)
  }

  stats(): Promise<StoreStats> {
    return this.#store.stats()
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
