/**
 * Nodes and services as rows of Docker's tables.
 */
import type { PortConfig } from '../store/objects/service.ts'
import type { ApiNode, ApiService } from './types.ts'

export const nodeHead = ['ID', 'HOSTNAME', 'STATUS', 'AVAILABILITY', 'MANAGER STATUS', 'ENGINE VERSION']

export function nodeRow(node: ApiNode, selfId: string): string[] {
  const manager = node.ManagerStatus
  const reach = manager?.Reachability ?? ''
  return [
    node.ID + (node.ID === selfId ? ' *' : ''),
    node.Description?.Hostname ?? '',
    capitalize(node.Status.State),
    capitalize(node.Spec.Availability),
    manager ? (manager.Leader ? 'Leader' : capitalize(reach)) : '',
    node.Description?.Engine?.EngineVersion ?? '',
  ]
}

export const serviceHead = ['ID', 'NAME', 'MODE', 'REPLICAS', 'IMAGE', 'PORTS']

export function serviceRow(service: ApiService): string[] {
  const { Spec, Endpoint } = service
  return [
    service.ID.slice(0, 12),
    Spec.Name,
    modeName(service),
    replicas(service),
    imageName(Spec.TaskTemplate.ContainerSpec?.Image ?? ''),
    (Endpoint.Ports ?? []).flatMap(publishedPort).join(', '),
  ]
}

export function modeName({ Spec }: Pick<ApiService, 'Spec'>): string {
  if (Spec.Mode.Global) return 'global'
  if (Spec.Mode.ReplicatedJob) return 'replicated job'
  return Spec.Mode.GlobalJob ? 'global job' : 'replicated'
}

function replicas({ Spec, ServiceStatus }: ApiService): string {
  const { RunningTasks = 0, DesiredTasks = 0 } = ServiceStatus ?? {}
  const limit = Spec.TaskTemplate.Placement?.MaxReplicas
  return `${RunningTasks}/${DesiredTasks}${limit ? ` (max ${limit} per node)` : ''}`
}

/** "*:8080->80/tcp" for a port of every node; those of a task's own host are the task's. */
function publishedPort({ PublishMode, PublishedPort, TargetPort, Protocol }: PortConfig): string[] {
  return PublishMode === 'ingress' ? [`*:${PublishedPort}->${TargetPort}/${Protocol}`] : []
}

/** Without the digest, which is for machines. */
export function imageName(image: string): string {
  return image.replace(/@sha256:[0-9a-f]+$/, '')
}

export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
