/**
 * A replicated service has as many slots as replicas, numbered from 1; numbers may have gaps.
 */
import type { Service } from '../store/objects/service.ts'
import type { View } from '../store/replica.ts'
import type { Slot } from './slots.ts'
import type { Step } from './steps.ts'

/** Slots to make and to give up, so that there are as many as the spec says. */
export function planReplicas(
  view: View,
  service: Service,
  slots: Map<string, Slot>,
): { kept: Slot[]; steps: Step[] } {
  const wanted = service.Spec.Mode.Replicated?.Replicas ?? 1
  const surplus = [...slots.values()]
    .sort(leastWorthFirst(view, service))
    .slice(0, Math.max(0, slots.size - wanted))
  const steps = surplus.flatMap((slot) => giveUpSlot(slot, 'there are more than the replicas wanted'))
  const kept = [...slots.values()].filter((slot) => !surplus.includes(slot))
  for (let number = 1; kept.length < wanted; number++) {
    if (!slots.has(`${number}`)) kept.push({ key: `${number}`, number, nodeId: '', tasks: [] })
  }
  return { kept, steps }
}

/** Its tasks are to stop and then to be forgotten. */
export function giveUpSlot(slot: Slot, why: string): Step[] {
  return slot.tasks.map(({ task }) => ({ do: 'setDesired', taskId: task.ID, desired: 'remove', why }))
}

/**
 * First those that don't run, then those on the nodes that have most of the service's tasks, so that scaling
 * down leaves them as spread as scaling up did; of equals the highest number.
 */
function leastWorthFirst(view: View, service: Service): (a: Slot, b: Slot) => number {
  const perNode = new Map<string, number>()
  for (const task of view.tasksOf(service.ID)) {
    if (task.DesiredState === 'running') perNode.set(task.NodeID, (perNode.get(task.NodeID) ?? 0) + 1)
  }
  const worth = new Map<Slot, [number, number, number]>()
  const worthOf = (slot: Slot): [number, number, number] => {
    let value = worth.get(slot)
    if (!value) {
      const runs = slot.tasks.find((one) => one.live && one.task.Status.State === 'running')
      value = [runs ? 1 : 0, -(perNode.get(runs?.task.NodeID ?? '') ?? 0), -slot.number]
      worth.set(slot, value)
    }
    return value
  }
  return (a, b) => {
    const [x, y] = [worthOf(a), worthOf(b)]
    return x[0] - y[0] || x[1] - y[1] || x[2] - y[2]
  }
}
