/**
 * Taking all of a swarm from a host that leaves it.
 */
import { messageOf } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import { TaskContainers } from './containers.ts'
import type { Engine } from './engine.ts'

/** Where no agent could be started: what its files say is not known, but the engine knows its containers. */
export async function removeWithoutAgent(engine: Engine, context: Context): Promise<void> {
  const containers = new TaskContainers(engine, context, () => {})
  try {
    await containers.synced
    await removeAll(engine, containers, 0)
  } finally {
    containers.stop()
  }
}

/** @throws AggregateError with what could not be removed, when all the rest is */
export async function removeAll(engine: Engine, containers: TaskContainers, revision: number): Promise<void> {
  const failures = await removeContainers(engine, containers)
  try {
    await engine.applyNetwork({ revision, networks: [], ingressPorts: [] })
  } catch (error) {
    failures.push(error)
  }
  if (failures.length > 0) throw new AggregateError(failures, failures.map(messageOf).join('; '))
}

/** @returns why containers could not be removed */
export async function removeContainers(engine: Engine, containers: TaskContainers): Promise<unknown[]> {
  const results = await Promise.allSettled(
    containers.tasks().map(async (taskId) => {
      const container = containers.get(taskId)
      if (!container) return
      await engine.removeContainer(container.id)
      containers.note(taskId, undefined)
    }),
  )
  return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
}
