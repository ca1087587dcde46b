import { AddressCursors } from '../../src/swarm/allocator/addresses.ts'
import { releaseTask } from '../../src/swarm/allocator/tasks.ts'
import { type Context, silentLog } from '../../src/swarm/context.ts'
import { changeSpec } from '../../src/swarm/orchestrators/change-spec.ts'
import { OrchestrationLoop } from '../../src/swarm/orchestrators/loop.ts'
import { Database } from '../../src/swarm/store/database.ts'
import { openMemoryStore } from '../../src/swarm/store/memory.ts'
import { claims } from '../../src/swarm/store/objects/kinds.ts'
import type { Network } from '../../src/swarm/store/objects/network.ts'
import type { Node } from '../../src/swarm/store/objects/node.ts'
import type { Service, ServiceSpec } from '../../src/swarm/store/objects/service.ts'
import { isOver, type Task, type TaskState } from '../../src/swarm/store/objects/task.ts'
import type { TaskSpec } from '../../src/swarm/store/objects/task-spec.ts'
import { FakeClock } from './fake-clock.ts'
import { FlakyStore } from './flaky-store.ts'

/** A manager's state without nodes behind it: tests say themselves what the nodes report. */
export class SwarmState {
  readonly clock = new FakeClock()
  readonly cursors = new AddressCursors()
  readonly database: Database
  readonly store: FlakyStore
  readonly context: Context
  #ids = 0
  loop: OrchestrationLoop | undefined

  private constructor(database: Database, store: FlakyStore, clock: FakeClock) {
    this.database = database
    this.store = store
    this.clock = clock
    this.context = { clock, log: silentLog, newId: () => `t${`${++this.#ids}`.padStart(4, '0')}` }
  }

  static async make(nodes = 0): Promise<SwarmState> {
    const clock = new FakeClock()
    const store = new FlakyStore(openMemoryStore())
    const database = await Database.open(store, clock)
    const state = new SwarmState(database, store, clock)
    for (let i = 1; i <= nodes; i++) await state.addNode(`n${i}`)
    return state
  }

  get view() {
    return this.database.replica
  }

  startLoop(): void {
    this.loop = new OrchestrationLoop(this.database, this.cursors, this.context)
  }

  async close(): Promise<void> {
    await this.loop?.stop()
    await this.database.close()
  }

  async addNode(id: string, members: Partial<Node> = {}): Promise<void> {
    const node = {
      ID: id,
      Spec: { Labels: {}, Role: 'worker' as const, Availability: 'active' as const },
      Description: {
        Hostname: id,
        Platform: { Architecture: 'x86_64', OS: 'linux' },
        Resources: { NanoCPUs: 4e9, MemoryBytes: 8 * 2 ** 30 },
        Engine: { EngineVersion: '1' },
      },
      Status: { State: 'ready' as const, Addr: `192.168.0.${this.view.count('node') + 1}` },
      DataPathAddr: `192.168.0.${this.view.count('node') + 1}`,
    }
    await this.database.transact((draft) => draft.put('node', { ...node, ...members }))
  }

  async changeNode(id: string, change: (node: Node) => Node): Promise<void> {
    await this.database.transact((draft) => draft.put('node', change(draft.get('node', id)!)))
  }

  setNodeState(id: string, State: Node['Status']['State']): Promise<void> {
    return this.changeNode(id, (node) => ({ ...node, Status: { ...node.Status, State } }))
  }

  async addNetwork(id: string, subnet: string, members: Partial<Network> = {}): Promise<void> {
    const gateway = subnet.replace(/\.0\/.*/, '.1')
    const network = { Driver: 'overlay', Labels: {}, Options: {}, Internal: false, Attachable: false }
    const rest = { Ingress: false, EnableIPv6: false, IPAM: { Subnet: subnet, Gateway: gateway }, Vni: 4096 }
    await this.database.transact((draft) => {
      draft.put('network', { ID: id, Name: id, ...network, ...rest, ...members })
      draft.claim(claims.subnet(subnet), id)
    })
  }

  /** Makes a service, or gives it a new spec: three replicas of "img" unless said otherwise. */
  async setService(
    id: string,
    spec: Partial<Omit<ServiceSpec, 'TaskTemplate'>> = {},
    task: TaskSpec = {},
  ): Promise<void> {
    const full: ServiceSpec = {
      Name: id,
      Labels: {},
      Mode: { Replicated: { Replicas: 3 } },
      ...spec,
      TaskTemplate: { ContainerSpec: { Image: 'img' }, ...task },
    }
    await this.database.transact((draft) => {
      const old = draft.get('service', id)
      const base = old ?? { ID: id, Spec: full, TemplateID: '', Endpoint: {} }
      const { UpdateStatus: _, ...rest } = base as Service
      changeSpec(draft, this.cursors, rest, full, { keepPrevious: old !== undefined })
    })
  }

  /** What nodes do by themselves: tasks that should run come to run, those that should stop stop. */
  async act(nodes?: string[]): Promise<void> {
    for (const task of this.tasks()) {
      if (task.NodeID === '' || isOver(task.Status.State) || (nodes && !nodes.includes(task.NodeID))) continue
      if (this.view.get('node', task.NodeID)?.Status.State !== 'ready') continue
      if (task.DesiredState === 'running' && task.Status.State !== 'running')
        await this.report(task.ID, 'running')
      else if (task.DesiredState === 'ready') await this.report(task.ID, 'ready')
      else if (task.DesiredState === 'shutdown' || task.DesiredState === 'remove')
        await this.report(task.ID, 'shutdown')
    }
  }

  async report(taskId: string, State: TaskState): Promise<void> {
    await this.database.transact((draft) => {
      const task = draft.get('task', taskId)!
      if (task.Status.State === State) return
      const RunningAt = State === 'running' ? draft.now : task.Status.RunningAt
      draft.put('task', { ...task, Status: { Timestamp: draft.now, State, ...(RunningAt && { RunningAt }) } })
      if (isOver(State)) releaseTask(draft, task)
    })
  }

  tasks(serviceId?: string): Task[] {
    const tasks = serviceId ? this.view.tasksOf(serviceId) : this.view.all('task')
    return [...tasks].sort((a, b) => (a.ID < b.ID ? -1 : 1))
  }

  /** Tasks that run and should. */
  running(serviceId?: string): Task[] {
    return this.tasks(serviceId).filter((t) => t.Status.State === 'running' && t.DesiredState === 'running')
  }

  /** Lets the loop do all it can at this moment. */
  async settle(): Promise<void> {
    for (let idle = 0, last = -1; idle < 5; ) {
      await new Promise((resolve) => setImmediate(resolve))
      idle = this.view.revision === last ? idle + 1 : 0
      last = this.view.revision
    }
  }

  /** Loop and nodes in turn, until neither has anything left to do. */
  async converge(nodes?: string[]): Promise<void> {
    for (let last = -1; last !== this.view.revision; ) {
      last = this.view.revision
      await this.settle()
      await this.act(nodes)
      await this.settle()
    }
  }
}
