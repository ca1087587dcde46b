/**
 * What the orchestrators decide, as data. execute.ts does it; logs and tests read it.
 */

import type { UpdateStatus } from '../store/objects/service.ts'
import type { Restarts, TaskState } from '../store/objects/task.ts'

export type Step =
  | {
      do: 'createTask'
      serviceId: string
      /** 0 for a global service, which names the node. */
      slot: number
      nodeId?: string
      /** "running", or "ready": prepared, to be started by a later step. */
      desired: 'ready' | 'running'
      notBeforeMs?: number
      restarts?: Restarts
      why: string
    }
  | { do: 'setDesired'; taskId: string; desired: TaskState; why: string }
  /** The node that had it is gone for good. */
  | { do: 'orphanTask'; taskId: string; why: string }
  | { do: 'deleteTask'; taskId: string; why: string }
  /** Tries again to find addresses. */
  | { do: 'allocateTask'; taskId: string; why: string }
  | { do: 'setUpdateStatus'; serviceId: string; status: UpdateStatus; why: string }
  | { do: 'rollBack'; serviceId: string; why: string }

export function describeStep(step: Step): string {
  switch (step.do) {
    case 'createTask':
      return `make a task in slot ${step.slot || step.nodeId} of ${step.serviceId}: ${step.why}`
    case 'setDesired':
      return `want task ${step.taskId} ${step.desired}: ${step.why}`
    case 'orphanTask':
      return `give task ${step.taskId} up: ${step.why}`
    case 'deleteTask':
      return `forget task ${step.taskId}: ${step.why}`
    case 'allocateTask':
      return `find addresses for task ${step.taskId}: ${step.why}`
    case 'setUpdateStatus':
      return `update of ${step.serviceId} is ${step.status.State}: ${step.why}`
    case 'rollBack':
      return `roll ${step.serviceId} back: ${step.why}`
  }
}

/** Steps, and the time at which to look again though nothing has changed. */
export interface Plan {
  steps: Step[]
  wakeAtMs?: number
}

export function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
