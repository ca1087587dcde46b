/** The devices of a container's endpoints, in the kernel. */

import { NetlinkSocket } from '../kernel/netlink.ts'
import { addAddress, replaceRoute } from '../kernel/netlink-addresses.ts'
import {
  addVeth,
  changeBridgePort,
  changeLink,
  deleteLink,
  getLink,
  needLink,
} from '../kernel/netlink-links.ts'
import type { NetlinkRequest } from '../kernel/netlink-wire.ts'
import type { HostDoors } from './context.ts'
import type { EndpointRecord } from './records.ts'

/** Where an endpoint is tied to. */
export interface EndpointPlace {
  /** Index of the network's bridge. */
  bridge: number
  /** Undefined: 1500. */
  mtu?: number
  /** Containers on the network don't reach each other. */
  isolated: boolean
  /**
   * The container may reach itself by a port that it publishes. Where the host filters bridged packets
   * (br_netfilter), that translation happens on the bridge, which sends nothing back to where it came from.
   */
  hairpin: boolean
}

export interface EndpointPlan {
  endpoint: EndpointRecord
  place: EndpointPlace
}

/**
 * Makes the endpoints' pairs of devices, and addresses, routes and loopback inside the container.
 * @param namespace a descriptor of the container's
 * @param gateway of the endpoint that has the default route; undefined: no way out
 * @throws SystemCallError; the caller removes what was made
 */
export function makeEndpoints(
  { socket }: HostDoors,
  namespace: number,
  plans: readonly EndpointPlan[],
  gateway: string | undefined,
): void {
  socket.execute(plans.flatMap(({ endpoint, place }) => planPair(endpoint, place, namespace)))
  const inside = NetlinkSocket.open({ namespace })
  try {
    inside.execute([
      changeLink('lo', { up: true }),
      ...plans.flatMap(({ endpoint }) => {
        const { address, prefixLength } = endpoint
        const link = needLink(inside, endpoint.interface).index
        return [
          changeLink(link, { ipv6LinkLocal: false }),
          changeLink(link, { up: true }),
          addAddress({ link, address, prefixLength }),
        ]
      }),
      ...(gateway === undefined ? [] : [defaultRoute(gateway)]),
    ])
  } finally {
    inside.close()
  }
}

function planPair(endpoint: EndpointRecord, place: EndpointPlace, namespace: number): NetlinkRequest[] {
  const { device, mac } = endpoint
  const { mtu } = place
  return [
    addVeth({ name: device, mtu, peer: { name: endpoint.interface, namespace, mac, mtu } }),
    ...tieEndpoint(endpoint, place),
  ]
}

/** Makes the host's end, which is there, a port of the network's bridge. */
export function tieEndpoint({ device }: EndpointRecord, place: EndpointPlace): NetlinkRequest[] {
  const { bridge, isolated, hairpin } = place
  return [
    changeLink(device, { master: bridge, ipv6LinkLocal: false }),
    ...(isolated || hairpin ? [changeBridgePort(device, { isolated, hairpin })] : []),
    changeLink(device, { up: true }),
  ]
}

function defaultRoute(gateway: string): NetlinkRequest {
  return replaceRoute({ destination: '0.0.0.0', prefixLength: 0, gateway })
}

/** Whether the container has the endpoint's device still. */
export function hasEndpoint(namespace: number, { interface: name }: EndpointRecord): boolean {
  const inside = NetlinkSocket.open({ namespace })
  try {
    return getLink(inside, name) !== undefined
  } finally {
    inside.close()
  }
}

/**
 * Cuts an endpoint off: nothing passes any more, and its address can be another's at once. The devices go when
 * the container's namespace does (by then the kernel waits for nobody), or by `deleteEndpointDevice`.
 */
export function cutEndpoint({ socket }: HostDoors, { device }: EndpointRecord): void {
  socket.execute([{ ...changeLink(device, { up: false }), tolerate: ['ENODEV'] }])
}

/** Removes both devices; waits some 20 ms for the kernel to forget them. */
export function deleteEndpointDevice({ socket }: HostDoors, device: string): void {
  socket.execute([deleteLink(device)])
}
