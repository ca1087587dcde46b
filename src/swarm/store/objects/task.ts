import type { GenericResource, Labels, Meta } from './meta.ts'
import type { PortConfig } from './service.ts'

/** A task's state only ever moves forward in this order, which is Swarm's. */
export const taskStates = [
  'new',
  'allocated',
  'pending',
  'assigned',
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
  'remove',
  'orphaned',
] as const

export type TaskState = (typeof taskStates)[number]

const order = new Map(taskStates.map((state, i) => [state, i]))

/** Negative when `a` comes before `b`. */
export function compareStates(a: TaskState, b: TaskState): number {
  return order.get(a)! - order.get(b)!
}

/** True from the moment the task does not run any more, and never will. */
export function isOver(state: TaskState): boolean {
  return compareStates(state, 'running') > 0
}

export interface TaskStatus {
  Timestamp: string
  State: TaskState
  Message?: string
  Err?: string
  /** When it came to run (RFC 3339); stays when it ends. Not shown by the API. */
  RunningAt?: string
  ContainerStatus?: { ContainerID?: string; PID?: number; ExitCode?: number }
  PortStatus?: { Ports?: PortConfig[] }
}

export interface Attachment {
  NetworkID: string
  /** CIDR. */
  Address: string
  MacAddress: string
}

/** The history of restarts that a task continues; kept with it, so that a new manager knows it too. */
export interface Restarts {
  /** Since the slot has this template. */
  Total: number
  /** In a row, each of a task that had not run for long. */
  Streak: number
  /** When (RFC 3339), where the policy counts within a window. */
  Times?: string[]
}

export interface Task extends Meta {
  ServiceID: string
  /** 1, 2, 3... for a replicated service; 0 for a global one, whose slots are the nodes. */
  Slot: number
  NodeID: string
  TemplateID: string
  Labels?: Labels
  Status: TaskStatus
  DesiredState: TaskState
  /** A task whose desired state is "ready" may start from this time on (RFC 3339). */
  NotBefore?: string
  Restarts?: Restarts
  Attachments?: Attachment[]
  AssignedGenericResources?: GenericResource[]
}

/** What makes tasks interchangeable for the orchestrator: the slot, or the node for a global service. */
export function slotKey(task: Pick<Task, 'Slot' | 'NodeID'>): string {
  return task.Slot > 0 ? `${task.Slot}` : task.NodeID
}

/** SERVICE.SLOT.ID, or SERVICE.NODE.ID for a global service: the container's name on its host and its networks. */
export function taskName(serviceName: string, task: Pick<Task, 'ID' | 'Slot' | 'NodeID'>): string {
  return `${serviceName}.${task.Slot || task.NodeID}.${task.ID}`
}
