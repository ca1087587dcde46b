/**
 * Everything that one service needs now: a pure function from the state to steps.
 */
import type { Service } from '../store/objects/service.ts'
import { compareStates } from '../store/objects/task.ts'
import type { View } from '../store/replica.ts'
import { planNodes } from './global.ts'
import { planForgetting, planOrphans, planRemoval } from './history.ts'
import { planReplicas } from './replicated.ts'
import { planSlot } from './slot.ts'
import { type Slot, slotsOf } from './slots.ts'
import { earlier, type Plan, type Step } from './steps.ts'
import { planUpdate } from './update.ts'

/** @param serviceId also of a service that was removed and still has tasks */
export function planService(view: View, serviceId: string, nowMs: number): Plan {
  const orphans = planOrphans(view, view.tasksOf(serviceId))
  // What they were is settled first; the change that this makes calls for the next plan.
  if (orphans.length > 0) return { steps: orphans }
  const service = view.get('service', serviceId)
  if (!service) return { steps: planRemoval(view, serviceId) }
  const mode = modeOf(service)
  // Jobs come later: they are refused when they are created.
  if (mode === 'job') return { steps: [] }
  const slots = slotsOf(view, service)
  const { kept, steps } =
    mode === 'global' ? planNodes(view, service, slots) : planReplicas(view, service, slots)
  let wakeAtMs: number | undefined
  const all: Step[] = [...steps]
  for (const slot of kept) {
    const plan = planSlot(service, slot, nowMs)
    all.push(...plan.steps)
    wakeAtMs = earlier(wakeAtMs, plan.wakeAtMs)
  }
  const update = planUpdate(service, kept, touchedBy(all, kept), nowMs)
  all.push(...update.steps, ...planAddresses(view, serviceId), ...planForgetting(view, service))
  return { steps: all, wakeAtMs: earlier(wakeAtMs, update.wakeAtMs) }
}

export function modeOf(service: Pick<Service, 'Spec'>): 'replicated' | 'global' | 'job' {
  const { Global, ReplicatedJob, GlobalJob } = service.Spec.Mode
  if (ReplicatedJob || GlobalJob) return 'job'
  return Global ? 'global' : 'replicated'
}

/** Slots that get a task or lose one in this plan are for the next one to update. */
function touchedBy(steps: Step[], slots: Slot[]): Set<string> {
  const created = new Set<string>()
  const tasks = new Set<string>()
  for (const step of steps) {
    if (step.do === 'createTask') created.add(step.slot > 0 ? `${step.slot}` : step.nodeId!)
    else if (step.do === 'setDesired') tasks.add(step.taskId)
  }
  const isTouched = (slot: Slot) => created.has(slot.key) || slot.tasks.some(({ task }) => tasks.has(task.ID))
  return new Set(slots.filter(isTouched).map((slot) => slot.key))
}

function planAddresses(view: View, serviceId: string): Step[] {
  return [...view.tasksOf(serviceId)]
    .filter((task) => task.Status.State === 'new' && compareStates(task.DesiredState, 'running') <= 0)
    .map((task) => ({ do: 'allocateTask', taskId: task.ID, why: 'it has none yet' }))
}
