/**
 * Rolling updates: slots whose tasks are out of date get new ones, so many at a time, and what goes wrong
 * stops it. All that it needs to know is in the store, so that a new manager goes on where the last one was.
 */
import type { Service, UpdateConfig, UpdateState, UpdateStatus } from '../store/objects/service.ts'
import { isOver } from '../store/objects/task.ts'
import { replaceTasks } from './slot.ts'
import type { Slot, SlotTask } from './slots.ts'
import { earlier, type Plan, type Step } from './steps.ts'

/** Swarm's default: how long after its start a new task's failure is the update's. */
const defaultMonitorMs = 5000

/** @param touched keys of slots that other steps of the same plan change: busy, whatever they look like */
export function planUpdate(service: Service, slots: Slot[], touched: Set<string>, nowMs: number): Plan {
  const dirty = slots.filter((slot) => isDirty(slot) && !touched.has(slot.key))
  const state = service.UpdateStatus?.State
  if (state === 'paused' || state === 'rollback_paused') return { steps: [] }
  const isRunning = state === 'updating' || state === 'rollback_started'
  if (!isRunning) {
    if (dirty.length === 0) return { steps: [] }
    const status = begin(nowMs)
    const begun = { ...service, UpdateStatus: status }
    const first: Step = {
      do: 'setUpdateStatus',
      serviceId: service.ID,
      status,
      why: `${dirty.length} slots are out of date`,
    }
    const plan = planUpdate(begun, slots, touched, nowMs)
    return { ...plan, steps: [first, ...plan.steps] }
  }
  const config = (state === 'updating' ? service.Spec.UpdateConfig : service.Spec.RollbackConfig) ?? {}
  const stop = planFailure(service, config, slots)
  if (stop) return { steps: stop }
  return planBatch(service, config, slots, dirty, touched, nowMs)
}

function planBatch(
  service: Service,
  config: UpdateConfig,
  slots: Slot[],
  dirty: Slot[],
  touched: Set<string>,
  nowMs: number,
): Plan {
  let wakeAtMs: number | undefined
  let busy = touched.size
  for (const slot of slots) {
    if (touched.has(slot.key)) continue
    const settled = settledAtMs(slot, service, (config.Delay ?? 0) / 1e6)
    if (settled === undefined || settled > nowMs) busy++
    if (settled !== undefined && settled > nowMs) wakeAtMs = earlier(wakeAtMs, settled)
  }
  if (dirty.length === 0 && touched.size > 0) return { steps: [], wakeAtMs }
  if (dirty.length === 0) return planEnd(service, config, slots, nowMs)
  const parallelism = config.Parallelism ?? 1
  const free = parallelism === 0 ? dirty.length : Math.max(0, parallelism - busy)
  // Those that don't work anyway are the first to get something new.
  const next = [...dirty].sort((a, b) => Number(runs(a)) - Number(runs(b))).slice(0, free)
  const ordered = { ...service, Spec: { ...service.Spec, UpdateConfig: config } }
  const steps = next.flatMap((slot) =>
    replaceTasks(
      ordered,
      slot,
      slot.tasks.filter((one) => one.live),
      'it is out of date',
    ),
  )
  return { steps, wakeAtMs }
}

/** All slots have their new tasks: the update is over when the last one has stood its time. */
function planEnd(service: Service, config: UpdateConfig, slots: Slot[], nowMs: number): Plan {
  const monitorMs = config.Monitor === undefined ? defaultMonitorMs : config.Monitor / 1e6
  let wakeAtMs: number | undefined
  for (const slot of slots) {
    const settled = settledAtMs(slot, service, monitorMs)
    // Still starting; its next state wakes us.
    if (settled === undefined) return { steps: [] }
    if (settled > nowMs) wakeAtMs = earlier(wakeAtMs, settled)
  }
  if (wakeAtMs !== undefined) return { steps: [], wakeAtMs }
  const { StartedAt, State } = service.UpdateStatus!
  const isRollback = State === 'rollback_started'
  const status: UpdateStatus = {
    State: isRollback ? 'rollback_completed' : 'completed',
    StartedAt,
    CompletedAt: new Date(nowMs).toISOString(),
    Message: isRollback ? 'rollback completed' : 'update completed',
  }
  return {
    steps: [{ do: 'setUpdateStatus', serviceId: service.ID, status, why: 'all slots are up to date' }],
  }
}

/** What to do about new tasks that failed, if they are too many. */
function planFailure(service: Service, config: UpdateConfig, slots: Slot[]): Step[] | undefined {
  const action = config.FailureAction ?? 'pause'
  if (action === 'continue') return undefined
  const { StartedAt, State } = service.UpdateStatus!
  const failed = slots.flatMap((slot) => slot.tasks.filter((one) => failedSince(one, config, StartedAt)))
  const failedSlots = new Set(failed.map(({ task }) => task.Slot || task.NodeID)).size
  if (failedSlots === 0 || failedSlots / slots.length <= (config.MaxFailureRatio ?? 0)) return undefined
  const { task } = failed.at(-1)!
  const isRollback = State === 'rollback_started'
  const because = `due to failure or early termination of task ${task.ID}`
  if (action === 'rollback' && !isRollback && service.PreviousSpec) {
    return [{ do: 'rollBack', serviceId: service.ID, why: because }]
  }
  const paused: UpdateState = isRollback ? 'rollback_paused' : 'paused'
  const Message = `${isRollback ? 'rollback' : 'update'} paused ${because}`
  const status = { State: paused, StartedAt, Message }
  return [{ do: 'setUpdateStatus', serviceId: service.ID, status, why: because }]
}

function failedSince({ task, current }: SlotTask, config: UpdateConfig, since: string): boolean {
  const { State, Timestamp } = task.Status
  if (!current || (State !== 'failed' && State !== 'rejected') || task.CreatedAt < since) return false
  const monitorMs = config.Monitor === undefined ? defaultMonitorMs : config.Monitor / 1e6
  // One that never came to run failed at once, however long its image took to come.
  if (task.Status.RunningAt === undefined) return true
  return Date.parse(Timestamp) - Date.parse(task.Status.RunningAt) <= monitorMs
}

/** Time from which the slot counts as done; undefined while it is busy or not begun. */
function settledAtMs(slot: Slot, service: Service, restMs: number): number | undefined {
  if (isDirty(slot)) return Number.NEGATIVE_INFINITY
  const running = slot.tasks.find((one) => one.live && one.current && one.task.Status.State === 'running')
  if (running) {
    // One that was there before the update began rests from nothing.
    if (running.task.CreatedAt < service.UpdateStatus!.StartedAt) return Number.NEGATIVE_INFINITY
    return Date.parse(running.task.Status.RunningAt ?? running.task.Status.Timestamp) + restMs
  }
  const isDone = slot.tasks.every((one) => one.over || one.lost)
  return isDone ? Number.NEGATIVE_INFINITY : undefined
}

/** Nothing in it is up to date, or on its way to be. */
function isDirty(slot: Slot): boolean {
  if (slot.tasks.some((one) => one.live)) return !slot.tasks.some((one) => one.live && one.current)
  const last = slot.tasks.at(-1)
  return last !== undefined && isOver(last.task.Status.State) && !last.current
}

function runs(slot: Slot): boolean {
  return slot.tasks.some((one) => one.live && one.task.Status.State === 'running')
}

function begin(nowMs: number): UpdateStatus {
  return { State: 'updating', StartedAt: new Date(nowMs).toISOString(), Message: 'update in progress' }
}
