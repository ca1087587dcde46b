/**
 * What a deploy changes: a stack as the file wants it against the parts that are there -> steps.
 */
import type { ServiceSpec } from '../store/objects/service.ts'
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
