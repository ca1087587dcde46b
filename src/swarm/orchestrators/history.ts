/**
 * Tasks that are over and not needed any more: those given up, and those beyond the history that is kept.
 */

import type { Service } from '../store/objects/service.ts'
import { compareStates, isOver, type Task } from '../store/objects/task.ts'
import type { View } from '../store/replica.ts'
import { slotsOf } from './slots.ts'
import type { Step } from './steps.ts'

/** Swarm's default. */
const defaultHistory = 5

/** Deletions among a service's tasks. */
export function planForgetting(view: View, service: Service): Step[] {
  const limit = [...view.all('cluster')][0]?.Spec.Orchestration?.TaskHistoryRetentionLimit ?? defaultHistory
  const given: Step[] = [...view.tasksOf(service.ID)]
    .filter((task) => task.DesiredState === 'remove' && isGone(task))
    .map((task) => ({ do: 'deleteTask', taskId: task.ID, why: 'it was given up and has stopped' }))
  const old = [...slotsOf(view, service).values()].flatMap((slot): Step[] => {
    const surplus = Math.max(0, slot.tasks.length - Math.max(1, limit))
    return slot.tasks
      .filter((one) => one.over && !one.wanted)
      .slice(0, surplus)
      .map(({ task }) => ({ do: 'deleteTask', taskId: task.ID, why: `the slot keeps ${limit} tasks` }))
  })
  return [...given, ...old]
}

/** All tasks of a service that was removed: to stop, then to be forgotten. */
export function planRemoval(view: View, serviceId: string): Step[] {
  return [...view.tasksOf(serviceId)].flatMap((task): Step[] => {
    if (isGone(task)) return [{ do: 'deleteTask', taskId: task.ID, why: 'its service was removed' }]
    if (task.DesiredState === 'remove') return []
    return [{ do: 'setDesired', taskId: task.ID, desired: 'remove', why: 'its service was removed' }]
  })
}

/** Tasks whose node was removed from the swarm: nobody will ever report on them. */
export function planOrphans(view: View, tasks: Iterable<Task>): Step[] {
  return [...tasks]
    .filter((task) => task.NodeID !== '' && !isOver(task.Status.State) && !view.get('node', task.NodeID))
    .map((task) => ({ do: 'orphanTask', taskId: task.ID, why: 'its node was removed' }))
}

/** It is over, or was never given to a node. */
function isGone(task: Task): boolean {
  return isOver(task.Status.State) || compareStates(task.Status.State, 'assigned') < 0
}
