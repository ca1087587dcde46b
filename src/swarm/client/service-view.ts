/**
 * Services: lists, creation and changes through the API.
 */
import { isFailure } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { ServiceSpec } from '../store/objects/service.ts'
import type { EngineApi } from './api.ts'
import { networkFlag } from './flag-values.ts'
import type { ApiNetwork, ApiService } from './types.ts'

/** By name, with their counts of tasks. */
export async function listServices(api: EngineApi, filters: Record<string, string[]>): Promise<ApiService[]> {
  const services = await api.get<ApiService[]>('/services', { filters, status: true })
  return services.sort((a, b) => a.Spec.Name.localeCompare(b.Spec.Name, 'en', { numeric: true }))
}

export function readService(api: EngineApi, ref: string): Promise<ApiService> {
  return api.get<ApiService>(`/services/${encodeURIComponent(ref)}`)
}

export async function createService(api: EngineApi, spec: ServiceSpec): Promise<string> {
  return (await api.post<{ ID: string }>('/services/create', spec)).ID
}

/** Tries of a change against others who change the same service. */
const tries = 5

/**
 * Changes a service's spec as it is now; again when somebody was quicker, the manager's own updater perhaps.
 * @returns the service as it was read last
 */
export async function changeService(
  api: EngineApi,
  ref: string,
  change: (spec: ServiceSpec) => ServiceSpec,
  query: Record<string, string> = {},
): Promise<ApiService> {
  for (let i = 1; ; i++) {
    const service = await readService(api, ref)
    try {
      await api.post(`/services/${service.ID}/update`, change(service.Spec), {
        version: service.Version.Index,
        ...query,
      })
      return service
    } catch (error) {
      if (!isOutOfSequence(error) || i === tries) throw error
    }
  }
}

/** Whether the engine refused a change since the object has changed: Docker's clients know it by its words only. */
export function isOutOfSequence(error: unknown): boolean {
  return isFailure(error, 'E_API_REFUSED') && error.message.includes('update out of sequence')
}

/** "web=3" -> what to scale. @throws E_FLAG_INVALID */
export function parseScale(text: string): { ref: string; replicas: number } {
  const match = /^([^=]+)=(\d+)$/.exec(text)
  if (!match) throw fail('E_SCALE_INVALID', { text })
  return { ref: match[1]!, replicas: Number(match[2]) }
}

export async function scaleService(api: EngineApi, ref: string, replicas: number): Promise<ApiService> {
  return changeService(api, ref, (spec) => {
    if (!spec.Mode.Replicated) throw fail('E_SCALE_MODE', { ref })
    return { ...spec, Mode: { Replicated: { Replicas: replicas } } }
  })
}

/** Names of networks -> ids, which is what specs have. */
export async function networkIds(api: EngineApi, names: string[]): Promise<string[]> {
  if (names.length === 0) return []
  const networks = await api.get<ApiNetwork[]>('/networks')
  return names.map((name) => {
    const { Target } = networkFlag('network-rm', name)
    return networks.find((network) => network.Name === Target || network.Id === Target)?.Id ?? Target
  })
}
