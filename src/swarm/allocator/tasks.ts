/**
 * A task's addresses, one on each network of its template.
 */
import type { Draft } from '../store/draft.ts'
import type { Network } from '../store/objects/network.ts'
import type { Attachment, Task } from '../store/objects/task.ts'
import type { Template } from '../store/objects/template.ts'
import type { View } from '../store/replica.ts'
import { type AddressCursors, capacityOf, macAddressOf, releaseAddress } from './addresses.ts'

export type TaskAddresses = { attachments: Attachment[] } | { full: string }

/** Takes all of them or none; `full` is a sentence that says which network has none left. */
export function allocateTask(
  draft: Draft,
  cursors: AddressCursors,
  taskId: string,
  template: Template,
): TaskAddresses {
  const attachments: Attachment[] = []
  for (const network of networksOf(draft.view, template)) {
    const address = cursors.take(draft, network, taskId)
    if (address === undefined) {
      for (const taken of attachments) releaseAddress(draft, taken.NetworkID, taken.Address, taskId)
      return { full: describeFull(network) }
    }
    attachments.push({
      NetworkID: network.ID,
      Address: address,
      MacAddress: macAddressOf(network.ID, taskId),
    })
  }
  return { attachments }
}

/** Gives back what the task had. The task's own list stays, for those who look at it later. */
export function releaseTask(draft: Draft, task: Pick<Task, 'ID' | 'Attachments'>): void {
  for (const { NetworkID, Address } of task.Attachments ?? []) {
    releaseAddress(draft, NetworkID, Address, task.ID)
  }
}

export function ingressNetwork(view: View): Network | undefined {
  for (const network of view.all('network')) if (network.Ingress) return network
  return undefined
}

function networksOf(view: View, template: Template): Network[] {
  const own = (template.Spec.Networks ?? []).flatMap(({ Target }) => view.get('network', Target) ?? [])
  const ingress = template.Ingress ? ingressNetwork(view) : undefined
  return ingress ? [...own, ingress] : own
}

function describeFull(network: Network): string {
  return `no address is free on network ${network.Name} (${network.IPAM.Subnet}, ${capacityOf(network)} in all)`
}
