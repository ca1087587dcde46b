/** Docker's restart policies and their growing delay. */
import { messageOf } from '../../shared/errors.ts'
import type { Container } from './container.ts'
import type { ContainerContext } from './context.ts'
import type { ContainerRecord } from './record.ts'
import { startRun } from './start.ts'

const firstDelayMs = 100
const longestDelayMs = 60_000
/** A run that lasted this long makes the delay start anew. */
const steadyMs = 10_000

/** After a run's end: whether the policy wants another. */
export function shouldRestart(record: ContainerRecord, accepting: boolean): boolean {
  if (record.stoppedByUser || !accepting) return false
  const { Name, MaximumRetryCount } = record.hostConfig.RestartPolicy
  if (Name === 'always' || Name === 'unless-stopped') return true
  if (Name !== 'on-failure' || record.state.exitCode === 0) return false
  return MaximumRetryCount === 0 || record.restartCount < MaximumRetryCount
}

/** When the daemon starts: whether a container that does not run is brought up. */
export function shouldStartAtBoot(record: ContainerRecord): boolean {
  const { Name } = record.hostConfig.RestartPolicy
  const hasRun = !record.state.startedAt.startsWith('0001')
  if (Name === 'always') return hasRun
  if (record.stoppedByUser || !hasRun) return false
  return Name === 'unless-stopped' || (Name === 'on-failure' && record.state.exitCode !== 0)
}

/** Plans the next run; `start`, `stop` and `remove` take the plan back. */
export function scheduleRestart(context: ContainerContext, container: Container, ranMs: number): void {
  container.restartDelayMs =
    ranMs >= steadyMs || container.restartDelayMs === 0
      ? firstDelayMs
      : Math.min(container.restartDelayMs * 2, longestDelayMs)
  container.restartTimer = setTimeout(() => void restart(context, container), container.restartDelayMs)
}

async function restart(context: ContainerContext, container: Container): Promise<void> {
  await container.exclusively(async () => {
    const { record } = container
    if (record.state.status !== 'restarting' || !context.accepting()) return
    record.restartCount++
    try {
      await startRun(context, container)
    } catch (error) {
      context.log.warn({ container: container.id }, `restart: ${messageOf(error)}`)
      if (!shouldRestart(record, context.accepting())) return
      record.state.status = 'restarting'
      context.table.note(container)
      scheduleRestart(context, container, 0)
    }
  })
}
