/**
 * A manager: the state, the loop that works on it, and the port that nodes speak to.
 */
import { causeChain } from '../shared/errors.ts'
import { AddressCursors } from './allocator/addresses.ts'
import type { Context } from './context.ts'
import { Dispatcher } from './dispatcher/dispatcher.ts'
import { timingOf } from './dispatcher/timing.ts'
import { fail } from './errors.ts'
import { OrchestrationLoop } from './orchestrators/loop.ts'
import { stopAll } from './stop-all.ts'
import { Database } from './store/database.ts'
import { clusterKey } from './store/objects/cluster.ts'
import type { Store } from './store/store.ts'
import type { WireServerOptions } from './wire/server.ts'

export interface ManagerOptions {
  context: Context
  /** With a cluster's rows in it; closed with the manager. */
  store: Store
  nodeId: string
  /** HOST:PORT at which others reach this manager. */
  address: string
  wire: Omit<WireServerOptions, 'graceMs'>
  /** A part without which there is no manager has died: all that is left is to stop. */
  failed: (error: unknown) => void
}

/** Revisions that stay readable; watches of this process never lag so far. */
const keptRevisions = 10_000
const compactionMs = 60_000

export class Manager {
  readonly database: Database
  readonly cursors: AddressCursors
  readonly dispatcher: Dispatcher
  readonly nodeId: string
  readonly address: string
  readonly context: Context
  readonly #loop: OrchestrationLoop
  #cancelCompaction: () => void

  private constructor(
    options: ManagerOptions,
    database: Database,
    cursors: AddressCursors,
    dispatcher: Dispatcher,
  ) {
    this.database = database
    this.cursors = cursors
    this.dispatcher = dispatcher
    this.nodeId = options.nodeId
    this.address = options.address
    this.context = options.context
    this.#loop = new OrchestrationLoop(database, cursors, options.context)
    this.#cancelCompaction = this.#compactLater()
    database.replica.done.catch(options.failed)
  }

  /** @throws E_LISTEN, E_STORE_EMPTY; the store is closed then */
  static async start(options: ManagerOptions): Promise<Manager> {
    const { context, address, wire, failed } = options
    const database = await Database.open(options.store, context.clock)
    const cursors = new AddressCursors()
    try {
      const cluster = database.replica.get('cluster', clusterKey)
      if (!cluster) throw fail('E_STORE_EMPTY', {})
      const timing = timingOf(cluster.Spec)
      const dispatcher = await Dispatcher.start({ database, cursors, context, timing, address, wire, failed })
      return new Manager(options, database, cursors, dispatcher)
    } catch (error) {
      await database.close()
      throw error
    }
  }

  async stop(): Promise<void> {
    this.#cancelCompaction()
    await stopAll(
      () => this.#loop.stop(),
      () => this.dispatcher.stop(),
      () => this.database.close(),
    )
  }

  #compactLater(): () => void {
    return this.context.clock.after(compactionMs, () => {
      const { store, replica } = this.database
      store.compact(Math.max(0, replica.revision - keptRevisions)).catch((error: unknown) => {
        this.context.log.warn({ causes: causeChain(error) }, 'the store could not be compacted')
      })
      this.#cancelCompaction = this.#compactLater()
    })
  }
}
