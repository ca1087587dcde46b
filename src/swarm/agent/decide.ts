/**
 * What a task needs next on its node: a pure function of what is wanted, how far it has come, and what its
 * container does. A task's state only moves forward; one that ran is never begun again.
 */
import { compareStates, isOver, type TaskState, type TaskStatus } from '../store/objects/task.ts'
import type { TaskRow } from '../wire/rows.ts'
import type { ContainerState } from './engine.ts'

export type Action =
  | { do: 'report'; state: TaskState; message: string; err?: string }
  /** Image, networks, container; then it is ready. */
  | { do: 'prepare' }
  | { do: 'start' }
  /** Stop the container, then report. */
  | { do: 'stop'; state: TaskState; message: string; err?: string }
  /** Remove the container. */
  | { do: 'remove' }
  /** Nothing is left of it. */
  | { do: 'forget' }
  | { do: 'wait' }

/** @param row what the manager wants; undefined when it has forgotten the task */
export function decide(
  row: TaskRow | undefined,
  status: TaskStatus,
  container: ContainerState | undefined,
): Action {
  if (!row) return container ? { do: 'remove' } : { do: 'forget' }
  if (isOver(status.State)) return { do: 'wait' }
  if (compareStates(row.DesiredState, 'running') > 0) return decideStop(container)
  if (compareStates(status.State, 'ready') < 0) return decidePreparation(row, container)
  if (!container) return gone
  if (container.state === 'exited') return describeExit(container)
  if (status.State === 'ready') return decideStart(row, container)
  if (container.state === 'created') return { do: 'start' }
  return decideHealth(status.State, container)
}

const gone: Action = { do: 'report', state: 'failed', message: 'started', err: 'the container is gone' }

function decideStop(container: ContainerState | undefined): Action {
  const end = { state: 'shutdown', message: 'shutdown' } as const
  const isRunning = container?.state === 'running' || container?.state === 'paused'
  return isRunning ? { do: 'stop', ...end } : { do: 'report', ...end }
}

function decidePreparation(row: TaskRow, container: ContainerState | undefined): Action {
  // Our record may be lost, but not the container: it tells how far the task had come.
  if (container?.state === 'created') return { do: 'report', state: 'ready', message: 'prepared' }
  if (container?.state === 'exited') return describeExit(container)
  if (container) return { do: 'report', state: 'starting', message: 'starting' }
  return compareStates(row.State, 'starting') >= 0 ? gone : { do: 'prepare' }
}

function decideStart(row: TaskRow, container: ContainerState): Action {
  if (container.state !== 'created') return { do: 'report', state: 'starting', message: 'starting' }
  return row.DesiredState === 'running' ? { do: 'start' } : { do: 'wait' }
}

function decideHealth(state: TaskState, container: ContainerState): Action {
  if (container.health === 'unhealthy') {
    return { do: 'stop', state: 'failed', message: 'started', err: 'task: unhealthy container' }
  }
  if (state === 'starting' && container.health !== 'starting') {
    return { do: 'report', state: 'running', message: 'started' }
  }
  return { do: 'wait' }
}

/** Docker's words for how it ended. */
function describeExit({ exitCode = 0, oomKilled }: ContainerState): Action {
  if (exitCode === 0) return { do: 'report', state: 'complete', message: 'finished' }
  const err = `task: non-zero exit (${exitCode})${oomKilled ? ': out of memory' : ''}`
  return { do: 'report', state: 'failed', message: 'started', err }
}
