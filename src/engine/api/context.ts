import type { Logger } from 'pino'
import type { ContainerContext } from '../containers/context.ts'
import type { ExecSessions } from '../containers/exec.ts'
import type { EventBus } from '../events.ts'
import type { ImageStore } from '../images/store.ts'
import type { Networks } from '../network/networks.ts'
import type { NetworkCreateBody, NetworkSummary } from '../network/shapes.ts'
import type { VolumeStore } from '../volumes/store.ts'

/** What the API serves. The swarm's nouns plug in as routes of their own. */
export interface ApiContext {
  containers: ContainerContext
  execs: ExecSessions
  events: EventBus
  images: ImageStore
  networks: Networks
  volumes: VolumeStore
  /** Networks of the swarm, where this host is a manager; undefined otherwise. */
  swarmNetworks: () => SwarmNetworks | undefined
  log: Logger
  /** Facts for /info and /version. */
  system: SystemFacts
}

/** What /networks asks of the swarm. */
export interface SwarmNetworks {
  isWanted(body: NetworkCreateBody): boolean
  create(body: NetworkCreateBody): Promise<string>
  list(filters: Record<string, string[]>): NetworkSummary[]
  /** Undefined where there is none of that name or id. */
  find(ref: string): NetworkSummary | undefined
  remove(ref: string): Promise<void>
}

export interface SystemFacts {
  /** This engine's id, as /info shows it. */
  id: string
  name: string
  version: string
  dataRoot: string
  labels: string[]
  /** The swarm's part of /info, filled in by the daemon. */
  swarm: () => SwarmInfo
}

export interface SwarmInfo {
  LocalNodeState: 'inactive' | 'pending' | 'active' | 'error' | 'locked'
  ControlAvailable: boolean
  NodeID: string
  NodeAddr: string
  Error: string
  RemoteManagers: { NodeID: string; Addr: string }[] | null
  Nodes?: number
  Managers?: number
  Cluster?: object
}
