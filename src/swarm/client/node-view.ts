/**
 * Nodes: lists and changes, from flags.
 */
import { fail } from '../errors.ts'
import type { NodeSpec } from '../store/objects/node.ts'
import type { EngineApi } from './api.ts'
import { pairsFlag } from './flag-values.ts'
import { nodeHead, nodeRow } from './tables.ts'
import { selfId } from './task-view.ts'
import type { ApiNode } from './types.ts'

/** Nodes by name, and as rows of Docker's table. */
export async function listNodes(api: EngineApi, filters: string[]) {
  const [nodes, self] = await Promise.all([
    api.get<ApiNode[]>('/nodes', { filters: filterMap(filters) }),
    selfId(api, 'self'),
  ])
  const name = (node: ApiNode) => node.Description?.Hostname ?? ''
  nodes.sort((a, b) => name(a).localeCompare(name(b), 'en', { numeric: true }))
  return { nodes, head: nodeHead, rows: nodes.map((node) => nodeRow(node, self)) }
}

/** ["role=worker", "label=a=b"] -> the API's map. @throws E_FLAG_INVALID */
export function filterMap(filters: string[]): Record<string, string[]> {
  const map: Record<string, string[]> = {}
  for (const filter of filters) {
    const at = filter.indexOf('=')
    if (at < 1) throw fail('E_FLAG_INVALID', { flag: 'filter', value: filter, why: 'not KEY=VALUE' })
    const key = filter.slice(0, at)
    map[key] = [...(map[key] ?? []), filter.slice(at + 1)]
  }
  return map
}

export interface NodeChange {
  availability?: string
  role?: string
  'label-add'?: string[]
  'label-rm'?: string[]
}

/** @throws E_API_REFUSED, also when somebody else changed the node meanwhile */
export async function changeNode(api: EngineApi, ref: string, change: NodeChange): Promise<void> {
  const node = await api.get<ApiNode>(`/nodes/${encodeURIComponent(await selfId(api, ref))}`)
  const Labels = { ...node.Spec.Labels }
  for (const [key, value] of pairsFlag(change['label-add'] ?? [])) Labels[key] = value ?? ''
  for (const key of change['label-rm'] ?? []) delete Labels[key]
  const spec: NodeSpec = {
    ...node.Spec,
    Labels,
    ...(change.availability && { Availability: change.availability as NodeSpec['Availability'] }),
    ...(change.role && { Role: change.role as NodeSpec['Role'] }),
  }
  await api.post(`/nodes/${node.ID}/update`, spec, { version: node.Version.Index })
}
