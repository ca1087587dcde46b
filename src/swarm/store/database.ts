/**
 * A store with its replica: where everything in the manager reads and writes.
 */
import type { Clock } from '../context.ts'
import { fail } from '../errors.ts'
import { Draft } from './draft.ts'
import { Replica } from './replica.ts'
import type { Store } from './store.ts'

/** Tries of one transaction against others that change the same objects. */
const tries = 50

export class Database {
  readonly store: Store
  readonly replica: Replica
  readonly #clock: Clock

  private constructor(store: Store, replica: Replica, clock: Clock) {
    this.store = store
    this.replica = replica
    this.#clock = clock
  }

  /** Takes the store over: it is closed with the database, and when the database can't be opened. */
  static async open(store: Store, clock: Clock): Promise<Database> {
    try {
      return new Database(store, await Replica.open(store), clock)
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /**
   * Runs `work` on a draft and commits it; runs it again on the newest state when somebody else was quicker.
   * `work` must have no effects but the draft. When the promise resolves, the change is durable and the
   * replica shows it.
   * @throws what `work` throws; E_STORE_BUSY when others were always quicker
   */
  async transact<T>(work: (draft: Draft) => T): Promise<T> {
    for (let i = 0; i < tries; i++) {
      const draft = new Draft(this.replica, this.#clock.now())
      const result = work(draft)
      if (draft.size === 0) return result
      const outcome = await this.store.commit(draft.transaction())
      await this.replica.reached(outcome.revision)
      if (outcome.ok) return result
    }
    throw fail('E_STORE_BUSY', {})
  }

  async close(): Promise<void> {
    this.replica.close()
    await this.store.close()
  }
}
