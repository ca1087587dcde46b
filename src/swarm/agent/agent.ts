/**
 * A node's own part: runs the tasks that the manager gave it, tells what becomes of them, and keeps the data
 * plane right. Works on without a manager, and after a restart from what it has on disk; knows managers only
 * as somebody who sends rows and takes statuses.
 */
import type { Context } from '../context.ts'
import type { NodeDescription } from '../store/objects/node.ts'
import type { TaskStatus } from '../store/objects/task.ts'
import type { ReportedStatus, ToWorker } from '../wire/messages.ts'
import { TaskContainers } from './containers.ts'
import type { Engine, NodeNetworkState } from './engine.ts'
import { networkStateOf } from './network-state.ts'
import { NetworkApplier } from './networks.ts'
import { removeAll, removeContainers } from './remove.ts'
import { NodeRows, type Touched } from './rows.ts'
import { AgentStateWriter, readAgentState } from './state-file.ts'
import { type Surroundings, TaskRunner } from './task-runner.ts'

export interface AgentOptions {
  engine: Engine
  context: Context
  /** For the agent alone; it exists. */
  folder: string
  nodeId: string
  description: NodeDescription
  /** Is told each time a task's status changed. */
  onStatus(status: ReportedStatus): void
}

type Assign = Extract<ToWorker, { t: 'assign' }>

export class Agent {
  readonly #options: AgentOptions
  readonly #rows = new NodeRows()
  readonly #runners = new Map<string, TaskRunner>()
  readonly #containers: TaskContainers
  readonly #networks: NetworkApplier
  readonly #file: AgentStateWriter
  readonly #around: Surroundings
  #parts: Assign[] = []

  private constructor(options: AgentOptions) {
    const { engine, context, folder, nodeId, description } = options
    this.#options = options
    this.#containers = new TaskContainers(engine, context, (taskId) => this.#runners.get(taskId)?.poke())
    this.#networks = new NetworkApplier(engine, context, () => this.networkState())
    this.#file = new AgentStateWriter(folder, context, () => ({
      revision: this.#rows.revision,
      rows: this.#rows.snapshot().put,
      statuses: this.statuses(),
    }))
    this.#around = {
      engine,
      context,
      host: { nodeId, description },
      networksReady: (ids, signal) => this.#networks.ready(ids, signal),
      container: (taskId) => this.#containers.get(taskId),
      noteContainer: (taskId, container) => this.#containers.note(taskId, container),
      reported: (taskId, status) => this.#report(taskId, status),
      forgotten: (taskId) => this.#forget(taskId),
    }
  }

  /**
   * Takes up what the disk and the engine know. When it resolves, the agent knows of all its containers.
   * @throws E_STATE_UNREADABLE
   */
  static async start(options: AgentOptions): Promise<Agent> {
    const saved = await readAgentState(options.folder)
    const agent = new Agent(options)
    if (saved) {
      agent.#rows.apply(saved.revision, { put: saved.rows, drop: [] })
      agent.#networks.poke()
    }
    await agent.#containers.synced
    for (const { ID, Status } of saved?.statuses ?? []) agent.#run(ID, Status)
    return agent
  }

  /** What a node offers when its stream begins. */
  statuses(): ReportedStatus[] {
    return [...this.#runners].map(([ID, { status }]) => ({ ID, Status: status }))
  }

  /** The host is another than it was; tasks that come see it so. */
  describe(description: NodeDescription): void {
    this.#around.host = { ...this.#around.host, description }
  }

  networkState(): NodeNetworkState {
    return networkStateOf(this.#rows, this.#options.nodeId)
  }

  /** Takes what the manager says. A whole set counts when its last part is there. */
  apply(message: Assign): void {
    if (message.first) this.#parts = []
    this.#parts.push(message)
    if (!message.last) return
    const [first] = this.#parts as [Assign]
    const touched: Touched = first.first ? this.#rows.reset() : { tasks: new Set(), networks: false }
    for (const part of this.#parts) {
      const more = this.#rows.apply(part.revision, part)
      for (const id of more.tasks) touched.tasks.add(id)
      touched.networks ||= more.networks
    }
    this.#parts = []
    if (touched.networks) this.#networks.poke()
    // Containers of tasks that nobody knows any more go, once a manager has said what is known.
    if (first.first) for (const id of this.#containers.tasks()) touched.tasks.add(id)
    for (const id of touched.tasks) this.#run(id)
    this.#file.poke()
  }

  /** Lets go of everything; containers go on. */
  async stop(): Promise<void> {
    this.#containers.stop()
    // Runners are not waited for: one may wait for a container's grace period.
    for (const runner of this.#runners.values()) void runner.stop()
    await this.#networks.stop()
    await this.#file.flush()
  }

  /**
   * Removes all containers and networks of the swarm from this host. For a node that leaves.
   * @throws AggregateError with what could not be removed, when all the rest is
   */
  async removeEverything(): Promise<void> {
    await this.stop()
    // The first sweep ends the runners that wait for a container to stop, the second takes what others were
    // just making.
    const { engine } = this.#options
    await removeContainers(engine, this.#containers)
    await Promise.all([...this.#runners.values()].map((runner) => runner.stop()))
    await this.#file.flush()
    await removeAll(engine, this.#containers, this.#rows.revision)
  }

  /** Gives the task's runner what is wanted; makes the runner if the task is new. */
  #run(id: string, status?: TaskStatus): void {
    const row = this.#rows.tasks.get(id)
    let runner = this.#runners.get(id)
    if (!runner) {
      const Timestamp = new Date(this.#options.context.clock.now()).toISOString()
      runner = new TaskRunner(
        id,
        status ?? { Timestamp, State: 'accepted', Message: 'accepted' },
        this.#around,
      )
      this.#runners.set(id, runner)
    }
    runner.want(row, row && this.#rows.templates.get(row.TemplateID))
  }

  #report(taskId: string, status: TaskStatus): void {
    this.#options.onStatus({ ID: taskId, Status: status })
    this.#file.poke()
  }

  #forget(taskId: string): void {
    this.#runners.delete(taskId)
    this.#file.poke()
  }
}
