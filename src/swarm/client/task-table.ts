/**
 * Tasks as rows of Docker's tables: by service and slot, the newest of a slot first and its history below it.
 */
import { humanDuration } from '../../shared/units.ts'
import { capitalize, imageName } from './tables.ts'
import type { ApiTask } from './types.ts'

export const taskHead = ['ID', 'NAME', 'IMAGE', 'NODE', 'DESIRED STATE', 'CURRENT STATE', 'ERROR', 'PORTS']

export interface TaskTableOptions {
  /** Names by id; an id without a name stands for itself. */
  services: Map<string, string>
  nodes: Map<string, string>
  nowMs: number
  noTrunc: boolean
}

/** Longer errors are cut, as in Docker's table. */
const errorWidth = 30

export function taskRows(tasks: ApiTask[], options: TaskTableOptions): string[][] {
  const named = tasks.map((task) => ({ task, name: taskName(task, options) }))
  named.sort((a, b) => {
    const service = (options.services.get(a.task.ServiceID) ?? '').localeCompare(
      options.services.get(b.task.ServiceID) ?? '',
    )
    const slot = (a.task.Slot ?? 0) - (b.task.Slot ?? 0)
    return service || slot || a.name.localeCompare(b.name) || (a.task.CreatedAt < b.task.CreatedAt ? 1 : -1)
  })
  return named.map(({ task, name }, i) => {
    const isHistory = i > 0 && named[i - 1]!.name === name
    return taskRow(task, isHistory ? ` \\_ ${name}` : name, options)
  })
}

function taskRow(task: ApiTask, name: string, { nodes, nowMs, noTrunc }: TaskTableOptions): string[] {
  const { State, Timestamp, Err = '' } = task.Status
  const age = humanDuration(Math.max(0, nowMs - Date.parse(Timestamp))).toLowerCase()
  const error = Err && `"${Err}"`
  const ports = (task.Status.PortStatus?.Ports ?? [])
    .filter((port) => port.PublishedPort)
    .map((port) => `*:${port.PublishedPort}->${port.TargetPort}/${port.Protocol}`)
  return [
    noTrunc ? task.ID : task.ID.slice(0, 12),
    name,
    imageName(task.Spec.ContainerSpec?.Image ?? ''),
    nodes.get(task.NodeID ?? '') ?? task.NodeID ?? '',
    capitalize(task.DesiredState),
    `${capitalize(State)} ${age} ago`,
    noTrunc || error.length <= errorWidth ? error : `${error.slice(0, errorWidth - 1)}…`,
    ports.join(','),
  ]
}

function taskName(task: ApiTask, { services }: TaskTableOptions): string {
  const service = services.get(task.ServiceID) ?? task.ServiceID
  return `${service}.${task.Slot || task.NodeID || ''}`
}
