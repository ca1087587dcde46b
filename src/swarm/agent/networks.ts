/**
 * Keeps the host's data plane equal to the node's rows: one apply at a time, always of the newest state.
 */
import { causeChain, messageOf } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import type { Engine, NodeNetworkState } from './engine.ts'

/** After a failed apply. */
const retryMs = 1000
/** After one that left something undone: twice as long each time, since that may be so for good. */
const longestRetryMs = 30_000

export class NetworkApplier {
  readonly #engine: Engine
  readonly #context: Context
  readonly #read: () => NodeNetworkState
  #applied = new Set<string>()
  #failure: string | undefined
  #retryMs = retryMs
  #isDirty = false
  #isBusy = false
  #isStopped = false
  #running: Promise<void> = Promise.resolve()
  #waiting: (() => void)[] = []
  #cancelRetry: (() => void) | undefined

  /** @param read the state as it should be now */
  constructor(engine: Engine, context: Context, read: () => NodeNetworkState) {
    this.#engine = engine
    this.#context = context
    this.#read = read
  }

  /** The state has changed. */
  poke(): void {
    this.#isDirty = true
    if (!this.#isBusy && !this.#isStopped) this.#running = this.#run()
  }

  /**
   * Resolves when these networks are usable on this host.
   * @throws Error with the reason when they are not within the limit
   */
  async ready(networkIds: string[], signal: AbortSignal, limitMs = 30_000): Promise<void> {
    const end = this.#context.clock.now() + limitMs
    while (!networkIds.every((id) => this.#applied.has(id))) {
      signal.throwIfAborted()
      if (this.#context.clock.now() >= end) {
        throw new Error(`its network is not there: ${this.#failure ?? 'the manager has not said what it is'}`)
      }
      await this.#changed(signal)
    }
  }

  /** @returns when an apply that was under way has ended */
  stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelRetry?.()
    this.#wake()
    return this.#running
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    this.#cancelRetry?.()
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false
      const state = this.#read()
      try {
        const { problems, missing } = await this.#engine.applyNetwork(state)
        const gone = new Set(missing)
        this.#applied = new Set(state.networks.map(({ id }) => id).filter((id) => !gone.has(id)))
        this.#takeProblems(problems, state.revision)
      } catch (error) {
        this.#failure = messageOf(error)
        this.#context.log.error({ causes: causeChain(error) }, 'the networks could not be applied')
        this.#cancelRetry = this.#context.clock.after(retryMs, () => this.poke())
      }
      this.#wake()
    }
    this.#isBusy = false
  }

  /** What could not be done is tried again: nothing tells us when the port of another program is free. */
  #takeProblems(problems: string[], revision: number): void {
    const before = this.#failure
    this.#failure = problems.length > 0 ? problems.join('; ') : undefined
    if (this.#failure !== before) {
      this.#retryMs = retryMs
      for (const problem of problems) this.#context.log.warn({ revision }, problem)
    }
    if (this.#failure === undefined || this.#isDirty || this.#isStopped) return
    this.#cancelRetry = this.#context.clock.after(this.#retryMs, () => this.poke())
    this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs)
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting = []
  }

  /** Resolves at the next apply, at an abort, or after a while: the limit is checked by the caller. */
  async #changed(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push(resolve)
    const cancel = this.#context.clock.after(1000, resolve)
    signal.addEventListener('abort', resolve as () => void, { once: true })
    await promise
    cancel()
    signal.removeEventListener('abort', resolve as () => void)
  }
}
