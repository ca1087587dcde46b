/**
 * What one slot needs: exactly one task that runs, is current and may stay.
 *
 * When several would do, the oldest is kept: a task that outlived its node's silence is kept and its
 * replacement stops. A slot whose only fault is that its task is out of date is left to update.ts.
 */
import type { Service } from '../store/objects/service.ts'
import { compareStates, isOver } from '../store/objects/task.ts'
import { decideRestart } from './restart.ts'
import type { Slot, SlotTask } from './slots.ts'
import { earlier, type Plan, type Step } from './steps.ts'

/** A successor waits no longer than this for a task that does not stop. */
const longestHandoverMs = 60_000

export function planSlot(service: Service, slot: Slot, nowMs: number): Plan {
  const live = slot.tasks.filter((one) => one.live)
  const steps: Step[] = slot.tasks
    .filter((one) => one.wanted && one.over)
    .map(({ task }) => ({
      do: 'setDesired',
      taskId: task.ID,
      desired: 'shutdown',
      why: `it is ${task.Status.State}`,
    }))
  const keeper = live.find((one) => one.current && one.task.Status.State === 'running' && !one.leaving)
  if (keeper) {
    for (const one of live) {
      if (one === keeper) continue
      steps.push({
        do: 'setDesired',
        taskId: one.task.ID,
        desired: 'shutdown',
        why: `${keeper.task.ID} runs in its slot`,
      })
    }
    return { steps }
  }
  if (live.length === 0) {
    const fill = planSuccessor(service, slot, nowMs)
    return { steps: [...steps, ...fill.steps] }
  }
  const handover = planHandover(slot, live, nowMs)
  return {
    steps: [...steps, ...planLeaving(service, slot, live), ...handover.steps],
    wakeAtMs: handover.wakeAtMs,
  }
}

/** The steps that put a new task in place of what the slot has; the same for restarts, updates and drains. */
export function replaceTasks(service: Service, slot: Slot, old: SlotTask[], why: string): Step[] {
  const startFirst = service.Spec.UpdateConfig?.Order === 'start-first'
  const stops = old.map(({ task }): Step => ({ do: 'setDesired', taskId: task.ID, desired: 'shutdown', why }))
  const create = newTask(service, slot, startFirst || old.length === 0 ? 'running' : 'ready', why)
  return startFirst ? [create] : [...stops, create]
}

function newTask(service: Service, slot: Slot, desired: 'ready' | 'running', why: string) {
  return {
    do: 'createTask' as const,
    serviceId: service.ID,
    slot: slot.number,
    ...(slot.number === 0 && { nodeId: slot.nodeId }),
    desired,
    why,
  }
}

/** Nothing lives in the slot: does the last task get a successor, and when? */
function planSuccessor(service: Service, slot: Slot, nowMs: number): Plan {
  const last = slot.tasks.at(-1)
  if (!last) return { steps: [newTask(service, slot, 'running', 'the slot is empty')] }
  const { task } = last
  const policy = service.Spec.TaskTemplate.RestartPolicy
  if (last.lost) {
    if (policy?.Condition === 'none') return { steps: [] }
    return { steps: [newTask(service, slot, 'running', 'its node does not answer')] }
  }
  if (!last.over) return { steps: [newTask(service, slot, 'ready', `${task.ID} is being stopped`)] }
  if (!last.current)
    return { steps: [newTask(service, slot, 'running', `${task.ID} is over and out of date`)] }
  // One that we stopped ourselves, or lost for good, did not fail.
  if (task.Status.State === 'shutdown' || task.Status.State === 'orphaned') {
    return { steps: [newTask(service, slot, 'running', `${task.ID} is ${task.Status.State}`)] }
  }
  const restart = decideRestart(policy, task)
  if (!restart.again) return { steps: [] }
  const notBeforeMs = Date.parse(task.Status.Timestamp) + restart.delayMs
  const step = newTask(
    service,
    slot,
    notBeforeMs > nowMs ? 'ready' : 'running',
    `${task.ID} is ${task.Status.State}`,
  )
  return { steps: [{ ...step, notBeforeMs, restarts: restart.restarts }] }
}

/** Lets tasks start that were made to follow others, once those have stopped and their time has come. */
function planHandover(slot: Slot, live: SlotTask[], nowMs: number): Plan {
  const steps: Step[] = []
  let wakeAtMs: number | undefined
  for (const { task } of live) {
    if (compareStates(task.DesiredState, 'running') >= 0) continue
    const others = slot.tasks.filter(
      (one) => one.task !== task && !one.lost && !isOver(one.task.Status.State),
    )
    const created = Date.parse(task.CreatedAt)
    const notBefore = task.NotBefore === undefined ? created : Date.parse(task.NotBefore)
    const due = others.length === 0 ? notBefore : Math.max(notBefore, created) + longestHandoverMs
    if (due > nowMs) wakeAtMs = earlier(wakeAtMs, due)
    else steps.push({ do: 'setDesired', taskId: task.ID, desired: 'running', why: 'its turn has come' })
  }
  return { steps, wakeAtMs }
}

/** Tasks on nodes that are to be emptied get a successor elsewhere, in the service's own order. */
function planLeaving(service: Service, slot: Slot, live: SlotTask[]): Step[] {
  const leaving = live.filter((one) => one.leaving)
  if (leaving.length === 0 || leaving.length < live.length) return []
  // A global service has no elsewhere.
  if (slot.number === 0) return []
  return replaceTasks(service, slot, leaving, 'its node is drained')
}
