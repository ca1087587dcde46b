/** How containers hang on their networks' bridges, and how they are hung on again when a bridge was lost. */
import { listLinks } from '../kernel/netlink-links.ts'
import type { HostDoors } from './context.ts'
import { type EndpointPlace, tieEndpoint } from './endpoint-devices.ts'
import type { LiveNetwork, NetworkTable } from './network-table.ts'
import type { ContainerRecord, PortRequest } from './records.ts'

export function placeOn(
  { bridge, options, record }: LiveNetwork,
  ports: readonly PortRequest[],
): EndpointPlace {
  const hairpin = ports.length > 0 || record.ingress
  return { bridge, mtu: options.mtu, isolated: !options.icc, hairpin }
}

/**
 * Ties the host's ends of running containers to their bridges where they are not: a bridge that was removed
 * and made anew has no ports.
 * @returns how many
 */
export function tieLost(doors: HostDoors, table: NetworkTable, running: readonly ContainerRecord[]): number {
  const links = new Map(listLinks(doors.socket).map((link) => [link.name, link]))
  let repairs = 0
  for (const record of running) {
    for (const endpoint of record.endpoints) {
      const network = table.get(endpoint.networkId)
      const link = links.get(endpoint.device)
      if (!network?.bridge || !link || link.master === network.bridge) continue
      doors.socket.execute(tieEndpoint(endpoint, placeOn(network, record.portRequests)))
      repairs++
      doors.log.warn({ container: record.id, network: network.record.name }, 'tied a container to its bridge')
    }
  }
  return repairs
}
