/**
 * Lists of tasks as the commands print them.
 */
import { formatTable } from '../../shared/table.ts'
import type { EngineApi } from './api.ts'
import { taskHead, taskRows } from './task-table.ts'
import type { ApiNode, ApiService, ApiTask } from './types.ts'

export interface TaskViewFlags {
  'no-trunc': boolean
  quiet: boolean
}

/** Lines of the table; with `quiet` the ids. */
export async function taskTable(api: EngineApi, tasks: ApiTask[], flags: TaskViewFlags): Promise<string[]> {
  if (flags.quiet) return tasks.map(({ ID }) => (flags['no-trunc'] ? ID : ID.slice(0, 12)))
  const [services, nodes] = await Promise.all([
    api.get<ApiService[]>('/services'),
    api.get<ApiNode[]>('/nodes'),
  ])
  const rows = taskRows(tasks, {
    services: new Map(services.map(({ ID, Spec }) => [ID, Spec.Name])),
    nodes: new Map(nodes.map(({ ID, Description }) => [ID, Description?.Hostname ?? ID])),
    nowMs: Date.now(),
    noTrunc: flags['no-trunc'],
  })
  return [formatTable([taskHead, ...rows])]
}

/** The tasks of services, which must all be there. */
export async function serviceTasks(api: EngineApi, refs: string[]): Promise<ApiTask[]> {
  const services = await Promise.all(
    refs.map((ref) => api.get<ApiService>(`/services/${encodeURIComponent(ref)}`)),
  )
  return api.get<ApiTask[]>('/tasks', { filters: { service: services.map(({ ID }) => ID) } })
}

/** The tasks of nodes; "self" is the one that is asked. */
export async function nodeTasks(api: EngineApi, refs: string[]): Promise<ApiTask[]> {
  const nodes = await Promise.all(
    refs.map(async (ref) => api.get<ApiNode>(`/nodes/${encodeURIComponent(await selfId(api, ref))}`)),
  )
  return api.get<ApiTask[]>('/tasks', { filters: { node: nodes.map(({ ID }) => ID) } })
}

/** "self" -> the id of the node that is asked. */
export async function selfId(api: EngineApi, ref: string): Promise<string> {
  if (ref !== 'self') return ref
  return (await api.get<{ Swarm?: { NodeID?: string } }>('/info')).Swarm?.NodeID ?? ''
}
