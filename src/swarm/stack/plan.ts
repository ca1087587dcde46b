/**
 * What a deploy changes: a stack as the file wants it against the parts that are there -> steps.
 */
import { fail } from '../errors.ts'
import type { PortConfig, ServiceSpec } from '../store/objects/service.ts'
import { stackLabel } from './names.ts'
import type { Stack, StackNetwork } from './stack.ts'

export type DeployStep =
  | { do: 'createNetwork'; network: StackNetwork }
  | { do: 'createService'; spec: ServiceSpec }
  | { do: 'updateService'; id: string; version: number; spec: ServiceSpec }
  | { do: 'removeService'; id: string; name: string }

/** Docker's own lines. */
export function describeDeployStep(step: DeployStep): string {
  switch (step.do) {
    case 'createNetwork':
      return `Creating network ${step.network.Name}`
    case 'createService':
      return `Creating service ${step.spec.Name}`
    case 'updateService':
      return `Updating service ${step.spec.Name} (id: ${step.id})`
    case 'removeService':
      return `Removing service ${step.name}`
  }
}

export interface PresentParts {
  networks: { Name: string; Scope: string }[]
  services: { ID: string; Version: { Index: number }; Spec: ServiceSpec }[]
}

/** @param prune also remove the stack's services that the file has no more */
export function planDeploy(stack: Stack, present: PresentParts, prune: boolean): DeployStep[] {
  const networks = stack.networks.filter(({ Name }) => !present.networks.some((one) => one.Name === Name))
  const known = new Map(present.services.map((service) => [service.Spec.Name, service]))
  const wanted = new Set(stack.services.map(({ Name }) => Name))
  const removed = prune
    ? present.services.filter(
        ({ Spec }) => Spec.Labels?.[stackLabel] === stack.name && !wanted.has(Spec.Name),
      )
    : []
  return [
    ...removed.map(({ ID, Spec }): DeployStep => ({ do: 'removeService', id: ID, name: Spec.Name })),
    ...networks.map((network): DeployStep => ({ do: 'createNetwork', network })),
    ...stack.services.map((spec): DeployStep => {
      const old = known.get(spec.Name)
      if (!old) return { do: 'createService', spec }
      // A forced restart of before is not to be undone by a deploy.
      const { ForceUpdate } = old.Spec.TaskTemplate
      const TaskTemplate = { ...spec.TaskTemplate, ...(ForceUpdate !== undefined && { ForceUpdate }) }
      return { do: 'updateService', id: old.ID, version: old.Version.Index, spec: { ...spec, TaskTemplate } }
    }),
  ]
}

export interface PortOwner {
  ID: string
  Spec: { Name: string }
  Endpoint?: { Ports?: PortConfig[] }
}

/**
 * Refuses a plan that would stop halfway, since a port belongs to another service of the swarm.
 * @param services all of the swarm
 * @throws E_PORT_PUBLISHED
 */
export function checkPorts(steps: DeployStep[], services: PortOwner[]): void {
  const owners = new Map<string, string>()
  const give = (ports: PortConfig[] | undefined, owner: string) => {
    for (const port of numbersOf(ports)) owners.set(port, owner)
  }
  for (const { Spec, Endpoint } of services) give(Endpoint?.Ports, Spec.Name)
  // In the order of the steps: a port that an earlier step gives back is free for a later one.
  for (const step of steps) {
    if (step.do === 'createNetwork') continue
    if ('id' in step) {
      const old = services.find(({ ID }) => ID === step.id)
      for (const port of numbersOf(old?.Endpoint?.Ports)) owners.delete(port)
    }
    if (!('spec' in step)) continue
    const { Name, EndpointSpec } = step.spec
    for (const port of numbersOf(EndpointSpec?.Ports)) {
      const other = owners.get(port)
      if (other !== undefined) throw fail('E_PORT_PUBLISHED', { service: Name, port, other })
    }
    give(EndpointSpec?.Ports, Name)
  }
}

/** Those that belong to one service in all the swarm: ports of hosts are the scheduler's to share out. */
function numbersOf(ports: PortConfig[] = []): string[] {
  return ports
    .filter(({ PublishedPort, PublishMode }) => PublishedPort && PublishMode !== 'host')
    .map(({ PublishedPort, Protocol }) => `${PublishedPort}/${Protocol}`)
}
