/** What follows a run's end: the state, the clean-up, the word to who waits, and perhaps the next run. */
import { readFileSync } from 'node:fs'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { controllerFolder } from '../runtime/cgroups/hierarchy.ts'
import { removeCgroup } from '../runtime/cgroups/tree.ts'
import type { ExitStatus } from '../runtime/exit-record.ts'
import type { Container } from './container.ts'
import { type ContainerContext, cgroupPathOf } from './context.ts'
import { destroyContainer } from './remove.ts'
import { scheduleRestart, shouldRestart } from './restart-policy.ts'

/** Called by the poll thread's word, once a run. */
export function containerExited(context: ContainerContext, container: Container, status: ExitStatus): void {
  container
    .exclusively(() => settle(context, container, status))
    .catch((error: unknown) =>
      context.log.error(
        { container: container.id, err: error },
        `cleaning up after a run: ${messageOf(error)}`,
      ),
    )
}

async function settle(context: ContainerContext, container: Container, status: ExitStatus): Promise<void> {
  const { record } = container
  const oomKilled = wasOomKilled(context, container.id)
  container.input?.end()
  container.input = undefined
  container.running = undefined
  record.process = undefined
  const startedMs = Date.parse(record.state.startedAt)
  const finishedAt = timeText(status.finishedAtNs)
  record.state = {
    ...record.state,
    status: 'exited',
    pid: 0,
    exitCode: status.exitCode,
    oomKilled,
    finishedAt,
  }
  const again = shouldRestart(record, context.accepting())
  if (again) record.state.status = 'restarting'
  context.table.note(container)
  if (oomKilled) context.events.container('oom', container.id, {})
  context.events.container('die', container.id, {
    exitCode: String(status.exitCode),
    execDuration: String(Math.max(0, Math.round((Date.parse(finishedAt) - startedMs) / 1000))),
  })
  context.networks.detach(container.id)
  await removeCgroup(context.features.cgroups, cgroupPathOf(context, container.id))
  container.signals.emit('exit', status.exitCode)
  if (again) scheduleRestart(context, container, Date.parse(finishedAt) - startedMs)
  else if (record.hostConfig.AutoRemove) await destroyContainer(context, container, { volumes: true })
}

/** RFC 3339 with nanoseconds. */
export function timeText(ns: bigint): string {
  return Temporal.Instant.fromEpochNanoseconds(ns).toString({ smallestUnit: 'nanosecond' })
}

/** The kernel counts its kills in the cgroup, which is about to go. */
function wasOomKilled(context: ContainerContext, id: string): boolean {
  const folder = controllerFolder(context.features.cgroups, 'memory', cgroupPathOf(context, id))
  if (!folder) return false
  const file = context.features.cgroups.version === 2 ? 'memory.events' : 'memory.oom_control'
  try {
    return Number(/^oom_kill (\d+)$/m.exec(readFileSync(`${folder}/${file}`, 'utf8'))?.[1] ?? 0) > 0
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
