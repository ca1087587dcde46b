import { taskLabel } from '../../src/swarm/agent/container-body.ts'
import type {
  ContainerBody,
  ContainerNews,
  ContainerState,
  Engine,
  NetworkOutcome,
  NodeNetworkState,
} from '../../src/swarm/agent/engine.ts'
import type { NodeDescription } from '../../src/swarm/store/objects/node.ts'

interface FakeContainer extends ContainerState {
  name: string
  body: ContainerBody
  starts: number
}

/** A host's engine without a host: containers are rows that live as long as this object. */
export class FakeEngine implements Engine {
  readonly hostname: string
  readonly containers = new Map<string, FakeContainer>()
  readonly networks: NodeNetworkState[] = []
  /** Images that can't be had, and containers that don't start, by image. */
  readonly missing = new Set<string>()
  readonly broken = new Set<string>()
  /** Images whose containers have a health check, which says this. */
  readonly health = new Map<string, NonNullable<ContainerState['health']>>()
  networkFailure: string | undefined
  /** What the host's network lacks. */
  networkOutcome: NetworkOutcome = { problems: [], missing: [] }
  #next = 1
  #watchers = new Set<(news: ContainerNews) => void>()

  constructor(hostname: string) {
    this.hostname = hostname
  }

  get network(): NodeNetworkState {
    return this.networks.at(-1) ?? { revision: 0, networks: [], ingressPorts: [] }
  }

  running(): FakeContainer[] {
    return [...this.containers.values()].filter((container) => container.state === 'running')
  }

  async describe(): Promise<NodeDescription> {
    return {
      Hostname: this.hostname,
      Platform: { Architecture: 'x86_64', OS: 'linux' },
      Resources: { NanoCPUs: 4e9, MemoryBytes: 8 * 2 ** 30 },
      Engine: { EngineVersion: '1.0' },
    }
  }

  async ensureImage(image: string, _options: { signal: AbortSignal }): Promise<void> {
    if (this.missing.has(image)) throw new Error(`No such image: ${image}`)
  }

  async createContainer(name: string, body: ContainerBody): Promise<string> {
    const id = `${this.hostname}-${this.#next++}`
    const container: FakeContainer = { id, name, body, labels: body.Labels, state: 'created', starts: 0 }
    this.containers.set(id, container)
    this.#tell(container)
    return id
  }

  async startContainer(id: string): Promise<ContainerState> {
    const container = this.#get(id)
    if (container.state === 'running') return { ...container }
    if (this.broken.has(container.body.Image))
      throw new Error('exec: "x": executable file not found in $PATH')
    container.state = 'running'
    container.pid = 1000 + container.starts
    container.starts++
    const health = this.health.get(container.body.Image)
    if (health) container.health = health
    this.#tell(container)
    return { ...container }
  }

  async stopContainer(id: string): Promise<void> {
    const container = this.containers.get(id)
    if (container?.state === 'running') this.exit(id, 143)
  }

  async removeContainer(id: string): Promise<void> {
    if (!this.containers.delete(id)) return
    for (const tell of this.#watchers) tell({ gone: id })
  }

  async applyNetwork(state: NodeNetworkState): Promise<NetworkOutcome> {
    if (this.networkFailure) throw new Error(this.networkFailure)
    this.networks.push(structuredClone(state))
    return this.networkOutcome
  }

  async *watchContainers(label: string, signal: AbortSignal): AsyncIterable<ContainerNews> {
    const queue: ContainerNews[] = [...this.containers.values()]
      .filter((container) => label in container.labels)
      .map((container) => ({ container: { ...container } }))
    queue.push({ synced: true })
    let wake = Promise.withResolvers<void>()
    const tell = (news: ContainerNews) => {
      queue.push(news)
      wake.resolve()
    }
    this.#watchers.add(tell)
    signal.addEventListener('abort', () => wake.resolve(), { once: true })
    try {
      while (!signal.aborted) {
        for (const news of queue.splice(0)) yield news
        if (queue.length > 0 || signal.aborted) continue
        await wake.promise
        wake = Promise.withResolvers()
      }
    } finally {
      this.#watchers.delete(tell)
    }
  }

  /** The container's program ends. */
  exit(id: string, exitCode: number): void {
    const container = this.#get(id)
    container.state = 'exited'
    container.exitCode = exitCode
    delete container.health
    this.#tell(container)
  }

  setHealth(id: string, health: NonNullable<ContainerState['health']>): void {
    const container = this.#get(id)
    container.health = health
    this.#tell(container)
  }

  /** The host boots anew: nothing runs any more. */
  reboot(): void {
    for (const container of this.running()) this.exit(container.id, 137)
  }

  taskOf(id: string): string {
    return this.#get(id).labels[taskLabel]!
  }

  #get(id: string): FakeContainer {
    const container = this.containers.get(id)
    if (!container) throw new Error(`No such container: ${id}`)
    return container
  }

  #tell(container: FakeContainer): void {
    const { name: _, body: __, starts: ___, ...state } = container
    for (const tell of this.#watchers) tell({ container: { ...state } })
  }
}
