/**
 * A global service has one slot on each node that meets its constraints and takes tasks.
 */
import { meets, parseConstraint } from '../placement/constraints.ts'
import type { Node } from '../store/objects/node.ts'
import type { Service } from '../store/objects/service.ts'
import type { View } from '../store/replica.ts'
import { giveUpSlot } from './replicated.ts'
import type { Slot } from './slots.ts'
import type { Step } from './steps.ts'

export function planNodes(
  view: View,
  service: Service,
  slots: Map<string, Slot>,
): { kept: Slot[]; steps: Step[] } {
  const constraints = (service.Spec.TaskTemplate.Placement?.Constraints ?? []).map(parseConstraint)
  const kept: Slot[] = []
  const steps: Step[] = []
  const belongs = (node: Node | undefined) =>
    node !== undefined && node.Spec.Availability !== 'drain' && constraints.every((one) => meets(node, one))
  for (const slot of slots.values()) {
    const node = view.get('node', slot.nodeId)
    if (!belongs(node)) steps.push(...giveUpSlot(slot, 'the node is not one for this service'))
    // What a silent node runs is known again when it speaks.
    else if (node!.Status.State !== 'down') kept.push(slot)
  }
  for (const node of view.all('node')) {
    if (slots.has(node.ID) || !belongs(node)) continue
    if (node.Status.State !== 'ready' || node.Spec.Availability !== 'active') continue
    kept.push({ key: node.ID, number: 0, nodeId: node.ID, tasks: [] })
  }
  return { kept, steps }
}
