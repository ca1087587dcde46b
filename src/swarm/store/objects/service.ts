import type { Labels, Meta, Version } from './meta.ts'
import type { NetworkTarget, TaskSpec } from './task-spec.ts'

export type Protocol = 'tcp' | 'udp' | 'sctp'

export interface PortConfig {
  Name?: string
  Protocol: Protocol
  TargetPort: number
  /** 0 or none in a spec: the manager chooses, from 30000 to 32767. */
  PublishedPort?: number
  /** ingress: on every node; host: on the nodes that run a task. */
  PublishMode: 'ingress' | 'host'
}

export interface EndpointSpec {
  Mode?: 'vip' | 'dnsrr'
  Ports?: PortConfig[]
}

/** Durations are nanoseconds. */
export interface UpdateConfig {
  Parallelism?: number
  Delay?: number
  FailureAction?: 'continue' | 'pause' | 'rollback'
  Monitor?: number
  MaxFailureRatio?: number
  Order?: 'stop-first' | 'start-first'
}

export interface ServiceMode {
  Replicated?: { Replicas?: number }
  Global?: object
  ReplicatedJob?: { MaxConcurrent?: number; TotalCompletions?: number }
  GlobalJob?: object
}

export interface ServiceSpec {
  Name: string
  Labels: Labels
  TaskTemplate: TaskSpec
  Mode: ServiceMode
  UpdateConfig?: UpdateConfig
  RollbackConfig?: UpdateConfig
  /** The place for networks before API 1.25; the manager moves them to the task's template. */
  Networks?: NetworkTarget[]
  EndpointSpec?: EndpointSpec
}

export interface VirtualIp {
  NetworkID: string
  /** CIDR. */
  Addr: string
}

export type UpdateState =
  | 'updating'
  | 'paused'
  | 'completed'
  | 'rollback_started'
  | 'rollback_paused'
  | 'rollback_completed'

export interface UpdateStatus {
  State: UpdateState
  StartedAt: string
  CompletedAt?: string
  Message: string
}

export interface Service extends Meta {
  Spec: ServiceSpec
  PreviousSpec?: ServiceSpec
  /** The template (templates.ts) that the service's new tasks follow. */
  TemplateID: string
  Endpoint: { Spec?: EndpointSpec; Ports?: PortConfig[]; VirtualIPs?: VirtualIp[] }
  UpdateStatus?: UpdateStatus
  JobStatus?: { JobIteration: Version; LastExecution?: string }
}
