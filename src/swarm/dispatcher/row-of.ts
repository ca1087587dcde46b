/**
 * Objects of the state -> rows that nodes are told.
 */
import { bareAddress, macAddressOf } from '../allocator/addresses.ts'
import { clusterKey, defaultDataPathPort } from '../store/objects/cluster.ts'
import type { Network } from '../store/objects/network.ts'
import type { Node } from '../store/objects/node.ts'
import type { Service } from '../store/objects/service.ts'
import { compareStates, isOver, type Task, taskName } from '../store/objects/task.ts'
import type { Template } from '../store/objects/template.ts'
import type { View } from '../store/replica.ts'
import type { EndpointRow, NetworkRow, NodeRow, Rows, ServiceRow, TaskRow } from '../wire/rows.ts'

/** True from the moment that a node has been told of the task until it is forgotten. */
export function isAssigned(task: Task): boolean {
  return task.NodeID !== '' && compareStates(task.Status.State, 'assigned') >= 0
}

export function taskRow(view: View, task: Task): TaskRow {
  const service = view.get('service', task.ServiceID)
  return {
    ID: task.ID,
    ServiceID: task.ServiceID,
    ServiceName: service?.Spec.Name ?? task.ServiceID,
    ServiceLabels: service?.Spec.Labels ?? {},
    Slot: task.Slot,
    TemplateID: task.TemplateID,
    DesiredState: task.DesiredState,
    State: task.Status.State,
    Attachments: task.Attachments ?? [],
  }
}

export function templateRow({ Spec, HostPorts, Ingress, Core }: Template): Rows['template'] {
  return { Spec, HostPorts, Ingress, Core }
}

export function networkRow(view: View, network: Network): NetworkRow {
  return {
    ID: network.ID,
    Name: network.Name,
    Driver: network.Driver,
    Vni: network.Vni,
    DataPathPort: view.get('cluster', clusterKey)?.DataPathPort ?? defaultDataPathPort,
    Subnet: network.IPAM.Subnet,
    Gateway: network.IPAM.Gateway,
    Internal: network.Internal,
    Ingress: network.Ingress,
    Labels: network.Labels,
    Options: network.Options,
  }
}

/** The task's place on one of its networks; undefined while it has none or no more. */
export function endpointRow(view: View, task: Task, networkId: string): EndpointRow | undefined {
  const attachment = task.Attachments?.find(({ NetworkID }) => NetworkID === networkId)
  const node = view.get('node', task.NodeID)
  if (!attachment || !node || !isAssigned(task) || isOver(task.Status.State)) return undefined
  const isWanted = compareStates(task.DesiredState, 'running') <= 0
  return {
    ServiceID: task.ServiceID,
    TaskName: taskName(view.get('service', task.ServiceID)?.Spec.Name ?? task.ServiceID, task),
    NodeID: task.NodeID,
    Address: bareAddress(attachment.Address),
    MacAddress: attachment.MacAddress,
    Host: node.DataPathAddr,
    Live: isWanted && task.Status.State === 'running' && node.Status.State !== 'down',
  }
}

/** The service's place on a network; undefined when it has none there. */
export function serviceRow(service: Service, network: Network): ServiceRow | undefined {
  const Name = service.Spec.Name
  if (network.Ingress) {
    const Ports = (service.Endpoint.Ports ?? []).filter((port) => port.PublishMode === 'ingress')
    return Ports.length > 0 ? { Name, Aliases: [], Ports } : undefined
  }
  const target = service.Spec.TaskTemplate.Networks?.find(({ Target }) => Target === network.ID)
  if (!target) return undefined
  const vip = service.Endpoint.VirtualIPs?.find(({ NetworkID }) => NetworkID === network.ID)
  return { Name, Aliases: target.Aliases ?? [], Ports: [], ...(vip && { Vip: bareAddress(vip.Addr) }) }
}

/** The node's own place on the ingress network. */
export function nodeRow(node: Node, network: Network): NodeRow | undefined {
  if (!network.Ingress || !node.IngressAddress) return undefined
  return {
    Address: node.IngressAddress,
    MacAddress: macAddressOf(network.ID, node.ID),
    Host: node.DataPathAddr,
  }
}
