/**
 * Nodes: read, update, delete.
 */
import { draftRemoval } from '../dispatcher/nodes.ts'
import { fail } from '../errors.ts'
import type { Manager } from '../manager.ts'
import type { NodeSpec } from '../store/objects/node.ts'
import { type Filters, passes, passesLabels } from './filters.ts'
import { assertVersion, findOne } from './find.ts'
import { presentNode } from './present.ts'

export const nodeFilters = ['id', 'label', 'membership', 'name', 'node.label', 'role']

export function listNodes(manager: Manager, filters: Filters) {
  return [...manager.database.replica.all('node')]
    .filter(
      (node) =>
        passes(filters, 'id', (id) => node.ID.startsWith(id)) &&
        passes(filters, 'name', (name) => node.Description?.Hostname.startsWith(name) === true) &&
        passes(filters, 'role', (role) => node.Spec.Role === role) &&
        // All that are in the store were accepted.
        passes(filters, 'membership', (membership) => membership === 'accepted') &&
        passesLabels(filters, 'label', node.Description?.Engine.Labels) &&
        passesLabels(filters, 'node.label', node.Spec.Labels),
    )
    .map(presentNode)
}

export function inspectNode(manager: Manager, ref: string) {
  return presentNode(findOne(manager.database.replica, 'node', ref))
}

/** @throws E_OBJECT_UNKNOWN, E_OUT_OF_SEQUENCE, E_SPEC_INVALID, E_SECOND_MANAGER */
export async function updateNode(
  manager: Manager,
  ref: string,
  version: number,
  spec: Partial<NodeSpec>,
): Promise<void> {
  const { Role, Availability, Labels, Name } = spec
  if (Role !== 'worker' && Role !== 'manager')
    throw fail('E_SPEC_INVALID', { why: `Role: "${Role ?? ''}" is neither worker nor manager` })
  if (Availability !== 'active' && Availability !== 'pause' && Availability !== 'drain') {
    throw fail('E_SPEC_INVALID', {
      why: `Availability: "${Availability ?? ''}" is none of active, pause and drain`,
    })
  }
  await manager.database.transact((draft) => {
    const node = draft.get('node', findOne(draft.view, 'node', ref).ID)!
    assertVersion(node, version)
    if (Role === 'manager' && node.Spec.Role === 'worker') throw fail('E_SECOND_MANAGER', {})
    if (Role === 'worker' && node.Spec.Role === 'manager') throw fail('E_LAST_MANAGER', {})
    draft.put('node', { ...node, Spec: { ...(Name && { Name }), Labels: Labels ?? {}, Role, Availability } })
  })
}

/** @throws E_OBJECT_UNKNOWN, E_NODE_MANAGER; E_NODE_UP unless forced */
export async function removeNode(manager: Manager, ref: string, force: boolean): Promise<void> {
  await manager.database.transact((draft) => {
    const node = draft.get('node', findOne(draft.view, 'node', ref).ID)!
    if (node.Spec.Role === 'manager') throw fail('E_NODE_MANAGER', { id: node.ID })
    if (node.Status.State === 'ready' && !force) throw fail('E_NODE_UP', { id: node.ID })
    draftRemoval(draft, node)
  })
}
