/**
 * The tasks of a service, slot by slot, and what is true of each.
 */
import { meets, parseConstraint } from '../placement/constraints.ts'
import type { Node } from '../store/objects/node.ts'
import type { Service } from '../store/objects/service.ts'
import { compareStates, isOver, slotKey, type Task } from '../store/objects/task.ts'
import type { View } from '../store/replica.ts'

export interface SlotTask {
  task: Task
  /** It should run, as far as anybody decided yet. */
  wanted: boolean
  /** It does not run any more, for all we know. */
  over: boolean
  /** Nobody knows: its node does not answer, or is no more. */
  lost: boolean
  /** wanted, and neither over nor lost. */
  live: boolean
  /** It runs what the service wants run. */
  current: boolean
  /** Its node is to be emptied. */
  leaving: boolean
}

export interface Slot {
  key: string
  /** 0 for a global service's. */
  number: number
  nodeId: string
  /** Oldest first. */
  tasks: SlotTask[]
}

/** Slots that have any task not yet given up ("remove"), by key. */
export function slotsOf(view: View, service: Service): Map<string, Slot> {
  const slots = new Map<string, Slot>()
  const isCurrent = currency(view, service)
  for (const task of view.tasksOf(service.ID)) {
    if (task.DesiredState === 'remove') continue
    const key = slotKey(task)
    let slot = slots.get(key)
    if (!slot) {
      slot = { key, number: task.Slot, nodeId: task.NodeID, tasks: [] }
      slots.set(key, slot)
    }
    slot.tasks.push(look(view, task, isCurrent))
  }
  for (const slot of slots.values()) slot.tasks.sort((a, b) => byAge(a.task, b.task))
  return slots
}

/** Oldest first; of two of the same moment, the one with the smaller id. */
export function byAge(a: Task, b: Task): number {
  if (a.CreatedAt !== b.CreatedAt) return a.CreatedAt < b.CreatedAt ? -1 : 1
  return a.ID < b.ID ? -1 : 1
}

function look(view: View, task: Task, isCurrent: (task: Task, node?: Node) => boolean): SlotTask {
  const node = task.NodeID === '' ? undefined : view.get('node', task.NodeID)
  const wanted = compareStates(task.DesiredState, 'running') <= 0
  const over = isOver(task.Status.State)
  const lost = !over && task.NodeID !== '' && (!node || node.Status.State === 'down')
  return {
    task,
    wanted,
    over,
    lost,
    live: wanted && !over && !lost,
    current: isCurrent(task, node),
    leaving: node?.Spec.Availability === 'drain',
  }
}

/** Whether tasks are up to date: same template, or one that differs only in a placement that they meet too. */
export function currency(view: View, service: Service): (task: Task, node?: Node) => boolean {
  const core = view.get('template', service.TemplateID)?.Core
  const constraints = (service.Spec.TaskTemplate.Placement?.Constraints ?? []).map(parseConstraint)
  return (task, node) => {
    if (task.TemplateID === service.TemplateID) return true
    if (core === undefined || view.get('template', task.TemplateID)?.Core !== core) return false
    return node === undefined || constraints.every((constraint) => meets(node, constraint))
  }
}
