/**
 * Drives one task: decides, acts, decides again, until there is nothing to do but wait. One action at a time;
 * news that come meanwhile count for the next decision, and a stop breaks off a preparation.
 */
import { messageOf } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import { compareStates, isOver, type TaskState, type TaskStatus } from '../store/objects/task.ts'
import type { TemplateContent } from '../store/objects/template.ts'
import type { TaskRow } from '../wire/rows.ts'
import { containerBody, containerName, type Host } from './container-body.ts'
import { type Action, decide } from './decide.ts'
import type { ContainerState, Engine } from './engine.ts'

/** Swarm's default. */
const defaultGraceMs = 10_000
/** An image store's error may quote a whole page; managers refuse what is much longer than this. */
const longestErr = 4096
/** After an engine error where the only way on is to try again. */
const retryMs = 1000

/** What a runner needs of the agent around it. */
export interface Surroundings {
  engine: Engine
  context: Context
  host: Host
  /** Resolves when the networks are usable. */
  networksReady(networkIds: string[], signal: AbortSignal): Promise<void>
  container(taskId: string): ContainerState | undefined
  /** Until the engine's own news come. */
  noteContainer(taskId: string, container: ContainerState | undefined): void
  reported(taskId: string, status: TaskStatus): void
  forgotten(taskId: string): void
}

export class TaskRunner {
  readonly #id: string
  readonly #around: Surroundings
  #row: TaskRow | undefined
  #template: TemplateContent | undefined
  #status: TaskStatus
  #isBusy = false
  #running: Promise<void> = Promise.resolve()
  #isDirty = false
  #isStopped = false
  #preparation: AbortController | undefined
  #cancelRetry: (() => void) | undefined

  constructor(id: string, status: TaskStatus, around: Surroundings) {
    this.#id = id
    this.#status = status
    this.#around = around
  }

  get status(): TaskStatus {
    return this.#status
  }

  /** What is wanted has changed; undefined: the manager has forgotten the task. */
  want(row: TaskRow | undefined, template: TemplateContent | undefined): void {
    this.#row = row
    if (template) this.#template = template
    if (!row || compareStates(row.DesiredState, 'running') > 0) {
      this.#preparation?.abort(new Error('the task is not wanted any more'))
    }
    this.poke()
  }

  /** Something may have changed: look again. */
  poke(): void {
    this.#isDirty = true
    if (!this.#isBusy && !this.#isStopped) this.#running = this.#run()
  }

  /**
   * Lets go of the task; its container goes on.
   * @returns when what was under way has ended: from then on the engine hears nothing more of the task
   */
  stop(): Promise<void> {
    this.#isStopped = true
    this.#cancelRetry?.()
    this.#preparation?.abort(new Error('the daemon stops'))
    return this.#running
  }

  async #run(): Promise<void> {
    this.#isBusy = true
    this.#cancelRetry?.()
    while (this.#isDirty && !this.#isStopped) {
      this.#isDirty = false
      const action = decide(this.#row, this.#status, this.#around.container(this.#id))
      if (action.do === 'wait') continue
      try {
        await this.#act(action)
        if (action.do === 'forget') return
        this.#isDirty = true
      } catch (error) {
        if (this.#isStopped) break
        const { log, clock } = this.#around.context
        log.warn(
          { taskId: this.#id, why: messageOf(error) },
          `a task's container could not be handled: ${action.do}`,
        )
        this.#cancelRetry = clock.after(retryMs, () => this.poke())
      }
    }
    this.#isBusy = false
  }

  async #act(action: Action): Promise<void> {
    switch (action.do) {
      case 'report':
        this.#report(action.state, action.message, action.err)
        break
      case 'prepare':
        await this.#prepare()
        break
      case 'start':
        await this.#start()
        break
      case 'stop':
        await this.#stopContainer()
        this.#report(action.state, action.message, action.err)
        break
      case 'remove':
        await this.#around.engine.removeContainer(this.#around.container(this.#id)!.id)
        this.#around.noteContainer(this.#id, undefined)
        break
      case 'forget':
        this.#around.forgotten(this.#id)
        break
      case 'wait':
        break
    }
  }

  async #prepare(): Promise<void> {
    const { engine, host } = this.#around
    const row = this.#row!
    this.#report('preparing', 'preparing')
    const preparation = new AbortController()
    const { signal } = preparation
    this.#preparation = preparation
    try {
      if (!this.#template) throw new Error('the manager has not said what the task runs')
      const body = containerBody(row, this.#template, host)
      await engine.ensureImage(body.Image, { signal })
      await this.#around.networksReady(
        row.Attachments.map(({ NetworkID }) => NetworkID),
        signal,
      )
      signal.throwIfAborted()
      const id = await engine.createContainer(containerName(row, host.nodeId), body)
      this.#around.noteContainer(this.#id, { id, labels: body.Labels, state: 'created' })
      this.#report('ready', 'prepared')
    } catch (error) {
      // Broken off: the next decision knows why.
      if (!signal.aborted) this.#report('rejected', 'preparing', messageOf(error))
    } finally {
      this.#preparation = undefined
    }
  }

  async #start(): Promise<void> {
    const container = this.#around.container(this.#id)!
    this.#report('starting', 'starting')
    try {
      const started = await this.#around.engine.startContainer(container.id)
      this.#around.noteContainer(this.#id, started)
    } catch (error) {
      this.#report('failed', 'starting', messageOf(error))
    }
  }

  async #stopContainer(): Promise<void> {
    const spec = this.#template?.Spec.ContainerSpec
    const graceMs = spec?.StopGracePeriod === undefined ? defaultGraceMs : spec.StopGracePeriod / 1e6
    const container = this.#around.container(this.#id)!
    const signal = spec?.StopSignal ? { signal: spec.StopSignal } : {}
    await this.#around.engine.stopContainer(container.id, { ...signal, graceMs })
  }

  /** Sets the state, if that is a step forward. */
  #report(State: TaskState, Message: string, Err?: string): void {
    if (compareStates(State, this.#status.State) < 0 || isOver(this.#status.State)) return
    const container = this.#around.container(this.#id)
    const Timestamp = new Date(this.#around.context.clock.now()).toISOString()
    const RunningAt = State === 'running' ? Timestamp : this.#status.RunningAt
    const ports = this.#template?.HostPorts ?? []
    this.#status = {
      Timestamp,
      State,
      Message,
      ...(Err !== undefined && { Err: Err.slice(0, longestErr) }),
      ...(RunningAt !== undefined && { RunningAt }),
      ...(container && { ContainerStatus: containerStatus(container) }),
      PortStatus: ports.length > 0 ? { Ports: ports } : {},
    }
    this.#around.reported(this.#id, this.#status)
  }
}

function containerStatus({ id, pid, exitCode }: ContainerState) {
  return { ContainerID: id, PID: pid ?? 0, ExitCode: exitCode ?? 0 }
}
