/**
 * What a node is told: rows of a small replica of the state, filtered for it. A change is a row put or a row
 * dropped; what the node runs and how its networks look is a function of its rows.
 */
import type { Labels } from '../store/objects/meta.ts'
import type { PortConfig } from '../store/objects/service.ts'
import type { Attachment, TaskState } from '../store/objects/task.ts'
import type { TemplateContent } from '../store/objects/template.ts'

export interface TaskRow {
  ID: string
  ServiceID: string
  ServiceName: string
  ServiceLabels: Labels
  Slot: number
  TemplateID: string
  DesiredState: TaskState
  /** How far the manager knows the task to be: one that ran is never begun anew. */
  State: TaskState
  Attachments: Attachment[]
}

export interface NetworkRow {
  ID: string
  Name: string
  Driver: string
  Vni: number
  /** UDP port of VXLAN packets, the same in all of a swarm's networks; an older manager says none. */
  DataPathPort?: number
  /** CIDR. */
  Subnet: string
  Gateway: string
  Internal: boolean
  Ingress: boolean
  Labels: Labels
  Options: Record<string, string>
}

/** A task's place on a network. */
export interface EndpointRow {
  ServiceID: string
  /** SERVICE.SLOT.ID, the container's name. */
  TaskName: string
  NodeID: string
  /** Without prefix length. */
  Address: string
  MacAddress: string
  /** Where its host takes overlay traffic. */
  Host: string
  /** True while it should get requests: running, healthy and wanted. */
  Live: boolean
}

/** A service's place on a network. */
export interface ServiceRow {
  Name: string
  Aliases: string[]
  /** Without prefix length; none in mode dnsrr. */
  Vip?: string
  /** On the ingress network: the ports that every node answers on. */
  Ports: PortConfig[]
}

/** A node's own address on the ingress network. */
export interface NodeRow {
  Address: string
  MacAddress: string
  Host: string
}

export interface Rows {
  task: TaskRow
  template: TemplateContent
  network: NetworkRow
  endpoint: EndpointRow
  service: ServiceRow
  node: NodeRow
}

export type RowKind = keyof Rows

/** Rows of endpoints, services and nodes belong to a network; their keys say so. */
export const rowKey = {
  task: (id: string) => `task/${id}`,
  template: (id: string) => `template/${id}`,
  network: (id: string) => `network/${id}`,
  endpoint: (networkId: string, taskId: string) => `endpoint/${networkId}/${taskId}`,
  service: (networkId: string, serviceId: string) => `service/${networkId}/${serviceId}`,
  node: (networkId: string, nodeId: string) => `node/${networkId}/${nodeId}`,
}

export interface RowChanges {
  put: [key: string, row: Rows[RowKind]][]
  drop: string[]
}
