import type { ContainerContext } from './context.ts'
import { fail } from './errors.ts'
import type { ContainerRecord } from './record.ts'

/** `--pid container:X` and `--ipc container:X`: paths of the other's namespaces. @throws E_NOT_RUNNING */
export function joinedNamespaces(
  context: Pick<ContainerContext, 'table'>,
  record: ContainerRecord,
): Partial<Record<'pid' | 'ipc', string>> {
  const pathOf = (mode: string, name: string) => {
    const other = /^container:(.+)$/.exec(mode)?.[1]
    if (!other) return undefined
    const container = context.table.get(other)
    if (!container.isRunning) throw fail('E_NOT_RUNNING', { id: container.id })
    return `/proc/${container.record.state.pid}/ns/${name}`
  }
  return { pid: pathOf(record.hostConfig.PidMode, 'pid'), ipc: pathOf(record.hostConfig.IpcMode, 'ipc') }
}
