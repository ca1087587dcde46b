/**
 * What workers and managers say to each other, as JSON in frames. The worker opens the stream and speaks
 * first. Beats are answered by the threads that own the sockets and never reach anybody else.
 */
import type { Availability, NodeDescription, NodeRole } from '../store/objects/node.ts'
import type { TaskStatus } from '../store/objects/task.ts'
import type { RowChanges } from './rows.ts'

/** Version of this protocol; a side refuses a peer of a version that it does not know. */
export const wireVersion = 1

/** The whole text of a beat and of its answer. */
export const beat = '{"t":"beat"}'

export interface ReportedStatus {
  ID: string
  Status: TaskStatus
}

/** To a manager. The first two are answered to anybody, the others only to a node of the swarm. */
export type ToManager =
  | { t: 'ca' }
  | { t: 'join'; token: string; request: string; availability?: Availability }
  | {
      t: 'hello'
      version: number
      description: NodeDescription
      /** Where others reach the node. Ours always say it; of one that doesn't, the address that it dials from. */
      advertiseAddr?: string
      dataPathAddr?: string
      /** All tasks that the node has: they come first, before it hears what it should have. */
      statuses: ReportedStatus[]
    }
  | { t: 'status'; statuses: ReportedStatus[] }
  | { t: 'renew'; request: string }
  | { t: 'leave' }

/** To a worker. */
export type ToWorker =
  | { t: 'ca'; cert: string }
  | { t: 'joined'; nodeId: string; clusterId: string; role: NodeRole; cert: string }
  | { t: 'welcome'; version: number; periodMs: number; graceMs: number; managers: string[] }
  /** `first` begins a whole set, which replaces what the node has when its `last` part came. */
  | ({ t: 'assign'; first: boolean; last: boolean; revision: number } & RowChanges)
  | { t: 'renewed'; cert: string }
  | { t: 'left' }
  | { t: 'refused'; code: string; message: string }
