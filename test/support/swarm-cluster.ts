import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitFor } from '../../src/shared/deadline.ts'
import { newSwarmId } from '../../src/shared/ids.ts'
import { joinToken } from '../../src/swarm/ca/token.ts'
import { type Log, silentLog, systemClock } from '../../src/swarm/context.ts'
import type { Manager } from '../../src/swarm/manager.ts'
import { type SwarmNode, type SwarmNodeOptions, startSwarmNode } from '../../src/swarm/node.ts'
import { changeSpec } from '../../src/swarm/orchestrators/change-spec.ts'
import type { ServiceSpec } from '../../src/swarm/store/objects/service.ts'
import type { Task } from '../../src/swarm/store/objects/task.ts'
import type { TaskSpec } from '../../src/swarm/store/objects/task-spec.ts'
import { FakeEngine } from './fake-engine.ts'

/** One host of the cluster: its engine and folder outlive its daemon. */
export interface FakeHost {
  name: string
  engine: FakeEngine
  folder: string
  node: SwarmNode | undefined
}

export interface ClusterOptions {
  /** Beat in milliseconds; grace is four of them. */
  periodMs?: number
  log?: Log
  threadless?: boolean
  /** Where the manager listens, and what it tells others: another port when something lies between. */
  port?: number
  advertisePort?: number
  dataPathPort?: number
}

/** A swarm of real nodes in this process: real streams over TLS on loopback, real stores, no containers. */
export class FakeCluster {
  readonly hosts: FakeHost[] = []
  readonly #folder: string
  readonly #options: ClusterOptions
  readonly #port: number

  private constructor(folder: string, port: number, options: ClusterOptions) {
    this.#folder = folder
    this.#port = port
    this.#options = options
  }

  /** One manager and so many workers. */
  static async make(workers: number, options: ClusterOptions = {}): Promise<FakeCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'swarm-cluster-'))
    const cluster = new FakeCluster(folder, options.port ?? (await freePort()), options)
    const m1 = await cluster.addHost('m1')
    const listenAddr = `127.0.0.1:${cluster.#port}`
    const advertiseAddr = cluster.address
    const HeartbeatPeriod = (options.periodMs ?? 1000) * 1e6
    await m1.node!.init({
      listenAddr,
      advertiseAddr,
      ...(options.dataPathPort && { dataPathPort: options.dataPathPort }),
      spec: { Dispatcher: { HeartbeatPeriod } },
    })
    for (let i = 1; i <= workers; i++) await cluster.join(await cluster.addHost(`w${i}`))
    return cluster
  }

  get manager(): Manager {
    return this.hosts[0]!.node!.manager
  }

  get view() {
    return this.manager.database.replica
  }

  host(name: string): FakeHost {
    return this.hosts.find((host) => host.name === name)!
  }

  nodeId(name: string): string {
    return this.host(name).node!.membership!.nodeId
  }

  async addHost(name: string): Promise<FakeHost> {
    const host: FakeHost = {
      name,
      engine: new FakeEngine(name),
      folder: join(this.#folder, name),
      node: undefined,
    }
    this.hosts.push(host)
    await this.startDaemon(host)
    return host
  }

  /** Starts the host's daemon, as after a crash or a boot. */
  async startDaemon(host: FakeHost): Promise<void> {
    const options: SwarmNodeOptions = {
      folder: host.folder,
      engine: host.engine,
      context: { clock: systemClock, log: this.#options.log ?? silentLog, newId: newSwarmId },
      threadless: this.#options.threadless ?? true,
      addresses: () => [{ interface: 'lo', address: '127.0.0.1' }],
    }
    host.node = await startSwarmNode(options)
  }

  /** As by kill -9, but for what this process can't forget: the daemon says nothing more. */
  async stopDaemon(host: FakeHost): Promise<void> {
    await host.node?.stop()
    host.node = undefined
  }

  token(role: 'worker' | 'manager' = 'worker'): string {
    const secrets = this.view.get('secrets', 'cluster')!
    const secret = role === 'worker' ? secrets.WorkerToken : secrets.ManagerToken
    return joinToken(this.view.get('cluster', 'cluster')!.RootCert, secret)
  }

  get address(): string {
    return `127.0.0.1:${this.#options.advertisePort ?? this.#port}`
  }

  join(host: FakeHost, token = this.token()): Promise<void> {
    return host.node!.join({ remoteAddrs: [this.address], token })
  }

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
    const { database, cursors } = this.manager
    await database.transact((draft) => {
      const old = draft.get('service', id)
      const base = old ?? { ID: id, Spec: full, TemplateID: '', Endpoint: {} }
      changeSpec(draft, cursors, base, full, { keepPrevious: old !== undefined })
    })
  }

  tasks(serviceId?: string): Task[] {
    return [...(serviceId ? this.view.tasksOf(serviceId) : this.view.all('task'))]
  }

  /** Tasks that run and should, on nodes that are not down. */
  running(serviceId?: string): Task[] {
    return this.tasks(serviceId).filter(
      (task) =>
        task.Status.State === 'running' &&
        task.DesiredState === 'running' &&
        this.view.get('node', task.NodeID)?.Status.State === 'ready',
    )
  }

  /** Waits until the service has exactly so many running tasks. */
  async settled(serviceId: string, count: number, timeoutMs = 8000): Promise<Task[]> {
    return waitFor(
      `${count} running tasks of ${serviceId}`,
      () => {
        const running = this.running(serviceId)
        const rest = this.tasks(serviceId).filter(
          (task) => !running.includes(task) && task.DesiredState === 'running',
        )
        const lost = rest.filter((task) => this.view.get('node', task.NodeID)?.Status.State === 'down')
        return running.length === count && rest.length === lost.length ? running : undefined
      },
      { timeoutMs, everyMs: 10 },
    )
  }

  async close(): Promise<void> {
    for (const host of [...this.hosts].reverse()) await this.stopDaemon(host)
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Below those that the kernel gives to outgoing connections: one of them could take it meanwhile. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
}
