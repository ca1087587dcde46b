/**
 * The manager's one loop: what changed makes services dirty; dirty services are planned, the plans done, and
 * tasks without a node placed; until nothing is left to do. One thing after another, so that each plan sees
 * all that the plans before it did.
 */
import { causeChain } from '../../shared/errors.ts'
import type { AddressCursors } from '../allocator/addresses.ts'
import type { Context } from '../context.ts'
import { Scheduler } from '../scheduler/scheduler.ts'
import type { Database } from '../store/database.ts'
import type { ObjectChange } from '../store/replica.ts'
import { type Executor, executeSteps } from './execute.ts'
import { NetworkReaper } from './network-reaper.ts'
import { planService } from './service.ts'
import type { Step } from './steps.ts'
import { TemplateUses } from './templates.ts'
import { WakeTimes } from './wake-times.ts'

/** After a failure of the store: time to breathe before the next try. */
const retryMs = 500

export class OrchestrationLoop {
  readonly #executor: Executor
  readonly #context: Context
  readonly #database: Database
  #scheduler: Scheduler
  #templates: TemplateUses
  readonly #networks: NetworkReaper
  readonly #dirty = new Set<string>()
  readonly #starved = new Set<string>()
  readonly #wakes: WakeTimes
  readonly #unsubscribe: () => void
  #running: Promise<void> | undefined
  #cancelRetry: (() => void) | undefined
  #stopped = false

  constructor(database: Database, cursors: AddressCursors, context: Context) {
    this.#database = database
    this.#context = context
    this.#executor = { database, cursors, context }
    this.#scheduler = new Scheduler(database.replica, context)
    this.#templates = new TemplateUses(database.replica)
    this.#networks = new NetworkReaper(database.replica)
    this.#wakes = new WakeTimes(context.clock, (serviceId) => this.#soil(serviceId))
    this.#soilAll()
    this.#unsubscribe = database.replica.subscribe((changes) => {
      this.#scheduler.apply(changes)
      for (const change of changes) this.#look(change)
      this.#start()
    })
    this.#start()
  }

  /** Ends after the step that is being done. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    this.#wakes.close()
    this.#cancelRetry?.()
    await this.#running
  }

  /** What a change means for services. */
  #look(change: ObjectChange): void {
    const { replica } = this.#database
    this.#templates.apply(change)
    this.#networks.apply(change)
    switch (change.kind) {
      case 'service':
        this.#dirty.add(change.id)
        break
      case 'task':
        this.#dirty.add((change.after ?? change.before)!.ServiceID)
        break
      case 'node':
        for (const task of replica.tasksOn(change.id)) this.#dirty.add(task.ServiceID)
        for (const service of replica.all('service'))
          if (service.Spec.Mode.Global) this.#dirty.add(service.ID)
        break
      case 'claim':
        if (change.after === undefined && change.id.startsWith('address/')) {
          for (const serviceId of this.#starved) this.#dirty.add(serviceId)
        }
        break
      default:
        break
    }
  }

  #soil(serviceId: string): void {
    this.#dirty.add(serviceId)
    this.#start()
  }

  #soilAll(): void {
    const { replica } = this.#database
    for (const service of replica.all('service')) this.#dirty.add(service.ID)
    // A service may be gone while its tasks are not yet.
    for (const task of replica.all('task')) this.#dirty.add(task.ServiceID)
  }

  get #hasWork(): boolean {
    return this.#dirty.size > 0 || this.#scheduler.hasWork || this.#networks.due().length > 0
  }

  #start(): void {
    if (this.#running || this.#stopped || this.#cancelRetry || !this.#hasWork) return
    this.#running = this.#run().finally(() => {
      this.#running = undefined
    })
  }

  async #run(): Promise<void> {
    try {
      // Let a burst of changes come in whole: everything that is ready to be heard now counts.
      await new Promise((resolve) => setImmediate(resolve))
      while (!this.#stopped && this.#hasWork) {
        await this.#orchestrate()
        if (!this.#stopped) await this.#schedule()
      }
    } catch (error) {
      if (this.#stopped) return
      this.#context.log.error(
        { causes: causeChain(error) },
        'the orchestration loop failed and will try again',
      )
      this.#startAnew()
      this.#cancelRetry = this.#context.clock.after(retryMs, () => {
        this.#cancelRetry = undefined
        this.#start()
      })
    }
  }

  /** As after a restart: what was planned and not kept counts as done, and only the rows know better. */
  #startAnew(): void {
    const { replica } = this.#database
    this.#scheduler = new Scheduler(replica, this.#context)
    this.#templates = new TemplateUses(replica)
    this.#soilAll()
  }

  async #orchestrate(): Promise<void> {
    const steps = [...this.#dirty].flatMap((serviceId) => this.#plan(serviceId))
    this.#dirty.clear()
    await executeSteps(this.#executor, steps)
    const [unused, removed] = [this.#templates.takeUnused(), this.#networks.due()]
    if (unused.length + removed.length === 0) return
    await this.#database.transact((draft) => {
      for (const id of unused) if (!this.#templates.isUsed(id)) draft.delete('template', id)
      for (const id of removed) this.#networks.draftRemoval(draft, id)
    })
  }

  /** A service that can't be planned must not keep the others from it. */
  #plan(serviceId: string): Step[] {
    try {
      const { steps, wakeAtMs } = planService(this.#database.replica, serviceId, this.#context.clock.now())
      this.#wakes.set(serviceId, wakeAtMs)
      if (steps.some((step) => step.do === 'allocateTask')) this.#starved.add(serviceId)
      else this.#starved.delete(serviceId)
      return steps
    } catch (error) {
      this.#context.log.error({ serviceId, causes: causeChain(error) }, 'a service could not be planned')
      return []
    }
  }

  async #schedule(): Promise<void> {
    const decisions = this.#scheduler.plan()
    await this.#scheduler.commit(this.#database, decisions)
  }
}
