/**
 * What the API answers, as far as the commands look at it.
 */
import type { SwarmSpec } from '../store/objects/cluster.ts'
import type { Labels, Version } from '../store/objects/meta.ts'
import type { Node } from '../store/objects/node.ts'
import type { PortConfig, Service } from '../store/objects/service.ts'
import type { TaskState, TaskStatus } from '../store/objects/task.ts'
import type { TaskSpec } from '../store/objects/task-spec.ts'

export type ApiNode = Omit<Node, 'DataPathAddr' | 'IngressAddress'>

export type ApiService = Omit<Service, 'TemplateID'> & {
  ServiceStatus?: { RunningTasks: number; DesiredTasks: number; CompletedTasks: number }
}

export interface ApiTask {
  ID: string
  Version: Version
  CreatedAt: string
  UpdatedAt: string
  Spec: TaskSpec
  ServiceID: string
  Slot?: number
  NodeID?: string
  Status: TaskStatus & { PortStatus?: { Ports?: PortConfig[] } }
  DesiredState: TaskState
}

export interface ApiNetwork {
  Id: string
  Name: string
  Scope: string
  Driver: string
  Labels: Labels | null
}

export interface ApiSwarm {
  ID: string
  Version: Version
  Spec: SwarmSpec
  JoinTokens: { Worker: string; Manager: string }
}

export interface ApiInfo {
  Swarm?: {
    NodeID: string
    NodeAddr: string
    LocalNodeState: string
    ControlAvailable: boolean
    RemoteManagers: { NodeID: string; Addr: string }[] | null
  }
}
