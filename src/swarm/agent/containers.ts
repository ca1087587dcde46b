/**
 * The tasks' containers on this host, as the engine's news have them.
 */
import { causeChain } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import { taskLabel } from './container-body.ts'
import type { ContainerState, Engine } from './engine.ts'

/** After a watch that broke. */
const retryMs = 500

export class TaskContainers {
  readonly #engine: Engine
  readonly #context: Context
  readonly #changed: (taskId: string) => void
  readonly #byTask = new Map<string, ContainerState>()
  readonly #taskOf = new Map<string, string>()
  readonly #stop = new AbortController()
  readonly #synced = Promise.withResolvers<void>()

  /** @param changed is called with the task whose container has changed or gone */
  constructor(engine: Engine, context: Context, changed: (taskId: string) => void) {
    this.#engine = engine
    this.#context = context
    this.#changed = changed
    void this.#watch()
  }

  /** Resolves when all containers are known for the first time. */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  get(taskId: string): ContainerState | undefined {
    return this.#byTask.get(taskId)
  }

  /** Tasks that have a container here. */
  tasks(): string[] {
    return [...this.#byTask.keys()]
  }

  /** What we did ourselves, before the engine's news of it come. */
  note(taskId: string, container: ContainerState | undefined): void {
    if (container) {
      this.#byTask.set(taskId, container)
      this.#taskOf.set(container.id, taskId)
    } else this.#drop(this.#byTask.get(taskId)?.id)
  }

  stop(): void {
    this.#stop.abort()
    this.#synced.resolve()
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#follow(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#context.log.error({ causes: causeChain(error) }, "the engine's containers can't be watched")
      }
      await this.#pause(signal)
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const seen = new Set<string>()
    let isFirst = true
    for await (const news of this.#engine.watchContainers(taskLabel, signal)) {
      if ('synced' in news) {
        isFirst = false
        for (const id of this.#taskOf.keys()) if (!seen.has(id)) this.#drop(id)
        this.#synced.resolve()
      } else if ('gone' in news) this.#drop(news.gone)
      else {
        if (isFirst) seen.add(news.container.id)
        this.#set(news.container)
      }
    }
  }

  #set(container: ContainerState): void {
    const taskId = container.labels[taskLabel]
    if (taskId === undefined) return
    this.note(taskId, container)
    this.#changed(taskId)
  }

  #drop(id: string | undefined): void {
    const taskId = id === undefined ? undefined : this.#taskOf.get(id)
    if (id === undefined || taskId === undefined) return
    this.#taskOf.delete(id)
    if (this.#byTask.get(taskId)?.id === id) this.#byTask.delete(taskId)
    this.#changed(taskId)
  }

  async #pause(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#context.clock.after(retryMs, resolve)
    signal.addEventListener('abort', resolve as () => void, { once: true })
    await promise
    cancel()
  }
}
