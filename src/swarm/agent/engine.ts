/**
 * What the agent needs of the engine on its host, and no more. The daemon's root fills it in with the real
 * engine; tests stand in thousands of false ones.
 *
 * Shapes are those of the Docker Engine API, so that the root can hand a container's body to the same code
 * that serves POST /containers/create.
 */
import type { NodeDescription } from '../store/objects/node.ts'
import type { Protocol } from '../store/objects/service.ts'
import type { HealthConfig, Mount } from '../store/objects/task-spec.ts'

export interface Engine {
  /** The host as the scheduler should know it. Asked at each start and every few minutes: hosts are renamed, and grow. */
  describe(): Promise<NodeDescription>

  /**
   * Makes sure that the image is here, by pulling it if need be.
   * @throws an Error whose message becomes the task's: "No such image: x:latest"
   */
  ensureImage(image: string, options: { auth?: string; signal: AbortSignal }): Promise<void>

  /**
   * Makes a container, not yet started. The networks of its body have been applied before. Swarm's networks
   * are named by id, with the address and MAC that the manager chose.
   * @returns its id
   */
  createContainer(name: string, body: ContainerBody): Promise<string>

  /**
   * Starts it; nothing happens when it runs already.
   * @returns its state then, with its health where it has a health check
   * @throws an Error whose message becomes the task's
   */
  startContainer(id: string): Promise<ContainerState>

  /** Signals, waits, kills. Resolves when it does not run any more, also if it did not run or is gone. */
  stopContainer(id: string, options: { signal?: string; graceMs: number }): Promise<void>

  /** Removes it, running or not, with its anonymous volumes. Resolves also if it is gone. */
  removeContainer(id: string): Promise<void>

  /**
   * The containers that have the label: first each as it is now and then `{ synced: true }`, then each
   * again whenever its state or health changes, or it is gone. No change is left out between.
   */
  watchContainers(label: string, signal: AbortSignal): AsyncIterable<ContainerNews>

  /**
   * Makes the host's network what `state` says: networks that are not in it go, those in it are there and
   * usable when the promise resolves, but for those that the answer names. Called again with every change
   * (never twice at once), and at start with what was last known, before there is any manager. The same state
   * again tries what could not be done.
   */
  applyNetwork(state: NodeNetworkState): Promise<NetworkOutcome>
}

/** What could not be done though the rest was. */
export interface NetworkOutcome {
  /** One sentence each: a port that a program of the host has. */
  problems: string[]
  /** Ids of networks that are not there. */
  missing: string[]
}

export type ContainerNews = { synced: true } | { container: ContainerState } | { gone: string }

export interface ContainerState {
  id: string
  labels: Record<string, string>
  state: 'created' | 'running' | 'paused' | 'exited'
  pid?: number
  /** When exited. */
  exitCode?: number
  oomKilled?: boolean
  /** Of one with a health check that is running. */
  health?: 'starting' | 'healthy' | 'unhealthy'
}

/** The body of POST /containers/create, as far as tasks use it. Durations are nanoseconds. */
export interface ContainerBody {
  Image: string
  Cmd?: string[]
  Entrypoint?: string[]
  Env?: string[]
  Hostname?: string
  User?: string
  WorkingDir?: string
  Labels: Record<string, string>
  Tty?: boolean
  OpenStdin?: boolean
  StopSignal?: string
  Healthcheck?: HealthConfig
  ExposedPorts?: Record<string, object>
  HostConfig: {
    /** "default" where the task has no network of the swarm; "host", "none"; else the id of the first one. */
    NetworkMode: string
    Mounts?: Mount[]
    NanoCpus?: number
    Memory?: number
    MemoryReservation?: number
    PidsLimit?: number
    PortBindings?: Record<string, { HostIp: string; HostPort: string }[]>
    CapAdd?: string[]
    CapDrop?: string[]
    Dns?: string[]
    DnsSearch?: string[]
    DnsOptions?: string[]
    ExtraHosts?: string[]
    GroupAdd?: string[]
    Init?: boolean
    LogConfig?: { Type: string; Config: Record<string, string> }
    OomScoreAdj?: number
    ReadonlyRootfs?: boolean
    SecurityOpt?: string[]
    Sysctls?: Record<string, string>
    Ulimits?: { Name: string; Soft: number; Hard: number }[]
    Isolation?: string
    RestartPolicy: { Name: 'no' }
  }
  NetworkingConfig: { EndpointsConfig: Record<string, EndpointConfig> }
}

/** Under the network's id. */
export interface EndpointConfig {
  IPAMConfig: { IPv4Address: string }
  MacAddress: string
  Aliases: string[]
  DriverOpts?: Record<string, string>
}

/** All that the data plane of one host is made from. A pure function of the store's state. */
export interface NodeNetworkState {
  /** The store's revision that it shows. It never goes backwards while the node stays in its swarm. */
  revision: number
  networks: NetworkState[]
  /** Ports that this host answers on, whether or not it runs a task of the service. */
  ingressPorts: IngressPort[]
}

/** One network that this host has tasks on; the ingress network always. */
export interface NetworkState {
  id: string
  name: string
  driver: string
  vni: number
  /** UDP port that all hosts take VXLAN packets on; VXLAN's own when left out. */
  dataPathPort?: number
  /** CIDR. */
  subnet: string
  /** On each host's own bridge; containers route through it. */
  gateway: string
  /** No way out of the network. */
  internal: boolean
  ingress: boolean
  labels: Record<string, string>
  options: Record<string, string>
  /**
   * This host's own address on the ingress network (CIDR) and its MAC: requests that it passes on to tasks on
   * other hosts come from there, so that answers find back to it.
   */
  node?: { address: string; macAddress: string }
  /** What lives on the network on other hosts: for forwarding and neighbour entries. */
  peers: Peer[]
  /** Names that the resolver answers for containers on this network. */
  names: NetworkName[]
  /** Virtual addresses, to be translated inside each container's network namespace. */
  virtualAddresses: VirtualAddress[]
}

export interface Peer {
  /** Without prefix length. */
  address: string
  macAddress: string
  /** Where its host takes VXLAN packets. */
  host: string
}

export interface NetworkName {
  /** "web" and its aliases, "tasks.web", "web.1.ID". */
  name: string
  addresses: string[]
}

export interface VirtualAddress {
  address: string
  service: string
  /** Addresses of the tasks that take requests, sorted. None: refuse. */
  endpoints: string[]
}

export interface IngressPort {
  protocol: Protocol
  /** On the host. */
  publishedPort: number
  /** In the tasks. */
  targetPort: number
  service: string
  /** Addresses on the ingress network, sorted. `local`: this host runs it. */
  endpoints: { address: string; local: boolean }[]
}
