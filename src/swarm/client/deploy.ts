/**
 * Deploys a stack through a manager's API.
 */
import { fail } from '../errors.ts'
import { checkPorts, type DeployStep, describeDeployStep, planDeploy } from '../stack/plan.ts'
import type { Stack } from '../stack/stack.ts'
import type { EngineApi } from './api.ts'
import { isOutOfSequence } from './service-view.ts'
import { readStackParts } from './stack-view.ts'
import type { ApiNetwork, ApiService } from './types.ts'

export interface DeployOptions {
  prune: boolean
  /** Is told each step before it is done. */
  said(line: string): void
}

/** Tries of an update against others who change the same service. */
const tries = 5

/**
 * Makes what is missing and changes what is there.
 * @returns the stack's services
 * @throws E_NETWORK_MISSING, E_PORT_PUBLISHED before anything is made; E_API_*
 */
export async function deployStack(
  api: EngineApi,
  stack: Stack,
  options: DeployOptions,
): Promise<{ id: string; name: string }[]> {
  await checkExternal(api, stack)
  const steps = planDeploy(stack, await readStackParts(api, stack.name), options.prune)
  checkPorts(steps, await api.get<ApiService[]>('/services'))
  const services: { id: string; name: string }[] = []
  for (const step of steps) {
    options.said(describeDeployStep(step))
    const id = await execute(api, step)
    if (id !== undefined && 'spec' in step) services.push({ id, name: step.spec.Name })
  }
  return services
}

async function checkExternal(api: EngineApi, stack: Stack): Promise<void> {
  if (stack.externalNetworks.length === 0) return
  const networks = await api.get<ApiNetwork[]>('/networks')
  for (const name of stack.externalNetworks) {
    const isThere = networks.some((network) => network.Name === name && network.Scope === 'swarm')
    if (!isThere && !['host', 'none', 'bridge'].includes(name)) throw fail('E_NETWORK_MISSING', { name })
  }
}

async function execute(api: EngineApi, step: DeployStep): Promise<string | undefined> {
  switch (step.do) {
    case 'removeService':
      await api.delete(`/services/${step.id}`)
      return undefined
    case 'createNetwork':
      await api.post('/networks/create', { ...step.network, CheckDuplicate: true, Scope: 'swarm' })
      return undefined
    case 'createService':
      return (await api.post<{ ID: string }>('/services/create', step.spec)).ID
    case 'updateService':
      return updateService(api, step)
  }
}

async function updateService(
  api: EngineApi,
  step: Extract<DeployStep, { do: 'updateService' }>,
): Promise<string> {
  let { version } = step
  for (let i = 1; ; i++) {
    try {
      await api.post(`/services/${step.id}/update`, step.spec, { version })
      return step.id
    } catch (error) {
      // The manager itself writes to a service while it updates it.
      if (!isOutOfSequence(error) || i === tries) throw error
      version = (await api.get<ApiService>(`/services/${step.id}`)).Version.Index
    }
  }
}
