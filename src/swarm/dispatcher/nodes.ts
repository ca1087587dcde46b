/**
 * Nodes' rows, as joins and streams change them.
 */
import type { AddressCursors } from '../allocator/addresses.ts'
import { releaseAddress } from '../allocator/addresses.ts'
import { ingressNetwork } from '../allocator/tasks.ts'
import { fail } from '../errors.ts'
import type { Draft } from '../store/draft.ts'
import type { Availability, Node, NodeDescription, NodeRole } from '../store/objects/node.ts'

/** A node that was let in and has not spoken yet. */
export function draftNode(draft: Draft, nodeId: string, role: NodeRole, availability?: Availability): void {
  draft.put('node', {
    ID: nodeId,
    Spec: { Labels: {}, Role: role, Availability: availability ?? 'active' },
    Status: { State: 'unknown', Addr: '' },
    DataPathAddr: '',
  })
}

export interface Hello {
  description: NodeDescription
  addr: string
  dataPathAddr: string
  /** HOST:PORT where it listens for others, of a manager. */
  managerAddr?: string
}

/** A node that speaks: it is ready. @throws E_NODE_REMOVED */
export function draftReady(draft: Draft, cursors: AddressCursors, nodeId: string, hello: Hello): void {
  const node = draft.get('node', nodeId)
  if (!node) throw fail('E_NODE_REMOVED', {})
  const next: Node = {
    ...node,
    Description: hello.description,
    Status: { State: 'ready', Addr: hello.addr },
    DataPathAddr: hello.dataPathAddr,
  }
  if (hello.managerAddr)
    next.ManagerStatus = { Leader: true, Reachability: 'reachable', Addr: hello.managerAddr }
  const ingress = ingressNetwork(draft.view)
  if (ingress && !node.IngressAddress) {
    // Without one the node works, but doesn't pass requests on to other hosts.
    const address = cursors.take(draft, ingress, nodeId)
    if (address) next.IngressAddress = address
  }
  if (isSame(node, next)) return
  draft.put('node', next)
}

export function draftDown(draft: Draft, nodeId: string, why: string): void {
  const node = draft.get('node', nodeId)
  if (!node || node.Status.State === 'down') return
  draft.put('node', { ...node, Status: { ...node.Status, State: 'down', Message: why } })
}

/** Takes the node out of the swarm; what it ran is orphaned by the orchestrators. */
export function draftRemoval(draft: Draft, node: Node): void {
  const ingress = ingressNetwork(draft.view)
  if (ingress && node.IngressAddress) releaseAddress(draft, ingress.ID, node.IngressAddress, node.ID)
  draft.delete('node', node.ID)
}

function isSame(a: Node, b: Node): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
