/**
 * Waiting until services run as they should, as the manager's API shows it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { formatMs } from '../../shared/deadline.ts'
import { fail } from '../errors.ts'
import type { EngineApi } from './api.ts'
import type { ApiNode, ApiService, ApiTask } from './types.ts'

export interface Convergence {
  running: number
  wanted: number
  /** What keeps it, in words; the newest error of a task. */
  why: string
  isDone: boolean
}

export interface ConvergeOptions {
  timeoutMs: number
  /** The user asked for a rollback: then its end is no failure. */
  isRollback?: boolean
  /** Is told the state whenever it was looked at. */
  onProgress?: (state: Convergence) => void
}

const lookEveryMs = 200

/**
 * Resolves when every task that the service should have runs its present spec.
 * @throws E_NOT_CONVERGED with the reason at hand when the limit is over; E_UPDATE_STOPPED
 */
export async function converge(api: EngineApi, serviceId: string, options: ConvergeOptions): Promise<void> {
  const end = performance.now() + options.timeoutMs
  for (;;) {
    const [service, tasks, nodes] = await Promise.all([
      api.get<ApiService>(`/services/${serviceId}`),
      api.get<ApiTask[]>('/tasks', { filters: { service: [serviceId], '_up-to-date': ['true'] } }),
      api.get<ApiNode[]>('/nodes'),
    ])
    const { State, Message = '' } = service.UpdateStatus ?? {}
    const isUndone = State === 'rollback_completed' && !options.isRollback
    if (State === 'paused' || State === 'rollback_paused' || isUndone) {
      throw fail('E_UPDATE_STOPPED', { service: service.Spec.Name, message: Message })
    }
    const judged = judge(service, tasks, nodes)
    // An update that is being taken back is not done, though all tasks of the old spec run.
    const state = {
      ...judged,
      isDone: judged.isDone && (State !== 'rollback_started' || options.isRollback === true),
    }
    options.onProgress?.(state)
    if (state.isDone) return
    if (performance.now() >= end) {
      const { running, wanted, why } = state
      throw fail('E_NOT_CONVERGED', {
        service: service.Spec.Name,
        running,
        wanted,
        why,
        limit: formatMs(options.timeoutMs),
      })
    }
    await sleep(lookEveryMs)
  }
}

/** A pure look at one moment. */
export function judge(service: ApiService, tasks: ApiTask[], nodes: ApiNode[]): Convergence {
  const down = new Set(nodes.filter((node) => node.Status.State === 'down').map((node) => node.ID))
  const isWanted = (task: ApiTask) => task.DesiredState === 'running' || task.DesiredState === 'ready'
  const live = tasks.filter((task) => isWanted(task) && !down.has(task.NodeID ?? ''))
  const running = new Set(live.filter((task) => task.Status.State === 'running').map(slot)).size
  const wanted = service.Spec.Mode.Global
    ? globalCount(nodes, live)
    : (service.Spec.Mode.Replicated?.Replicas ?? 0)
  return {
    running,
    wanted,
    why: running >= wanted ? '' : reason(tasks),
    isDone: running >= wanted,
  }
}

/** A global service's tasks follow the nodes that take tasks; constraints may leave some out. */
function globalCount(nodes: ApiNode[], live: ApiTask[]): number {
  const able = nodes.filter((node) => node.Status.State === 'ready' && node.Spec.Availability === 'active')
  return Math.min(able.length, Math.max(1, new Set(live.map(slot)).size))
}

function slot(task: ApiTask): string {
  return `${task.Slot ?? task.NodeID}`
}

function reason(tasks: ApiTask[]): string {
  const newest = [...tasks].sort((a, b) => (a.Status.Timestamp < b.Status.Timestamp ? 1 : -1))
  const withError = newest.find((task) => task.Status.Err)
  const waiting = newest.find((task) => task.Status.State !== 'running' && task.DesiredState === 'running')
  if (withError) return withError.Status.Err!
  if (newest.some((task) => task.Status.State === 'complete')) return 'its command ends, with exit code 0'
  return waiting?.Status.State ?? ''
}
