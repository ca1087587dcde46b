/**
 * Stacks as they are in the swarm: found by the label that both `docker stack` and we put on all their parts.
 */
import { fail } from '../errors.ts'
import { stackLabel } from '../stack/names.ts'
import type { EngineApi } from './api.ts'
import type { ApiNetwork, ApiService, ApiTask } from './types.ts'

export interface StackParts {
  services: ApiService[]
  networks: ApiNetwork[]
}

export async function readStackParts(api: EngineApi, stack: string): Promise<StackParts> {
  const filters = { label: [`${stackLabel}=${stack}`] }
  const [services, networks] = await Promise.all([
    api.get<ApiService[]>('/services', { filters, status: true }),
    api.get<ApiNetwork[]>('/networks', { filters }),
  ])
  return { services, networks }
}

/** Stacks by name, each with the number of its services. */
export async function listStacks(api: EngineApi): Promise<{ name: string; services: number }[]> {
  const services = await api.get<ApiService[]>('/services', { filters: { label: [stackLabel] } })
  const counts = new Map<string, number>()
  for (const { Spec } of services) {
    const name = Spec.Labels?.[stackLabel]
    if (name !== undefined) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return [...counts]
    .map(([name, count]) => ({ name, services: count }))
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** @throws E_STACK_UNKNOWN */
export async function stackTasks(api: EngineApi, stack: string): Promise<ApiTask[]> {
  const tasks = await api.get<ApiTask[]>('/tasks', { filters: { label: [`${stackLabel}=${stack}`] } })
  if (tasks.length === 0) throw fail('E_STACK_UNKNOWN', { stack })
  return tasks
}

/**
 * Removes the stack's services, then its networks, which hosts keep until the last task has stopped.
 * @param said is told each removal before it is done
 * @returns false when there was nothing of that name
 */
export async function removeStack(
  api: EngineApi,
  stack: string,
  said: (line: string) => void,
): Promise<boolean> {
  const { services, networks } = await readStackParts(api, stack)
  for (const { ID, Spec } of byName(services, ({ Spec: { Name } }) => Name)) {
    said(`Removing service ${Spec.Name}`)
    await api.delete(`/services/${ID}`)
  }
  for (const { Id, Name } of byName(networks, (network) => network.Name)) {
    said(`Removing network ${Name}`)
    await api.delete(`/networks/${Id}`)
  }
  return services.length + networks.length > 0
}

function byName<T>(items: T[], name: (item: T) => string): T[] {
  return [...items].sort((a, b) => name(a).localeCompare(name(b)))
}
