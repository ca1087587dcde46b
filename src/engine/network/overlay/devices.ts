/**
 * An overlay network's devices on this host: a bridge, and a VXLAN device on it that knows where each hardware
 * address of the network is and learns nothing. Frames for an address that nobody has go nowhere: the VXLAN
 * port takes no floods, and the bridge answers for the addresses of other hosts from its own table.
 */

import type { NetlinkSocket } from '../../kernel/netlink.ts'
import { listRoutes } from '../../kernel/netlink-addresses.ts'
import type { Link, PortFlags } from '../../kernel/netlink-links.ts'
import {
  addVxlan,
  changeBridgePort,
  changeLink,
  deleteLink,
  getLink,
  needLink,
} from '../../kernel/netlink-links.ts'
import {
  deleteForwarding,
  deleteNeighbour,
  listBridgeForwarding,
  listForwarding,
  listNeighbours,
  replaceForwarding,
  replaceNeighbour,
} from '../../kernel/netlink-neighbours.ts'
import type { NetlinkRequest } from '../../kernel/netlink-wire.ts'
import { type BridgePlan, ensureBridge } from '../bridge.ts'
import type { HostDoors } from '../context.ts'
import { type Entries, type OverlayStep, observedEntries } from './plan.ts'

/** Outer Ethernet, IPv4, UDP and VXLAN headers: 14 + 20 + 8 + 8. */
export const vxlanOverhead = 50

export interface OverlayPlan {
  bridge: BridgePlan
  vxlan: string
  vni: number
  /** UDP port of all hosts' VXLAN devices. */
  port: number
  mtu: number
}

export interface OverlayDevices {
  /** Indexes. */
  bridge: number
  vxlan: number
}

const portFlags: PortFlags = {
  learning: false,
  unicastFlood: false,
  multicastFlood: false,
  broadcastFlood: false,
  neighbourSuppress: true,
}

/**
 * Makes the devices what the plan says.
 * @returns their indexes, and how many requests it took. @throws SystemCallError
 */
export function ensureOverlay(doors: HostDoors, plan: OverlayPlan): OverlayDevices & { changed: number } {
  const { socket } = doors
  const { index: bridge, changed } = ensureBridge(doors, plan.bridge)
  let link = getLink(socket, plan.vxlan)
  let more = 0
  if (link && (link.vni !== plan.vni || link.udpPort !== plan.port)) {
    socket.execute([deleteLink(plan.vxlan)])
    link = undefined
  }
  if (!link) {
    socket.execute([addVxlan({ name: plan.vxlan, vni: plan.vni, port: plan.port, mtu: plan.mtu })])
    link = needLink(socket, plan.vxlan)
    more++
  }
  const requests = planVxlanChanges(plan, link, bridge)
  socket.execute(requests)
  return { bridge, vxlan: link.index, changed: changed + more + requests.length }
}

/** What is missing or wrong on a VXLAN device that is there. */
export function planVxlanChanges(
  { vxlan, mtu }: OverlayPlan,
  link: Pick<Link, 'master' | 'mtu' | 'up' | 'port'>,
  bridge: number,
): NetlinkRequest[] {
  const requests: NetlinkRequest[] = []
  if (link.mtu !== mtu) requests.push(changeLink(vxlan, { mtu }))
  if (link.master !== bridge) requests.push(changeLink(vxlan, { master: bridge, ipv6LinkLocal: false }))
  const isAsWanted = Object.entries(portFlags).every(
    ([name, on]) => link.port?.[name as keyof PortFlags] === on,
  )
  if (link.master !== bridge || !isAsWanted) requests.push(changeBridgePort(vxlan, portFlags))
  if (!link.up) requests.push(changeLink(vxlan, { up: true }))
  return requests
}

/** Removes both devices. Those that are gone already are fine. */
export function removeOverlay({ socket }: HostDoors, { vxlan, bridge }: OverlayPlan): void {
  socket.execute([deleteLink(vxlan), deleteLink(bridge.name)])
}

/** A step on the entries of a network, as requests. */
export function entryRequests(step: OverlayStep, { bridge, vxlan }: OverlayDevices): NetlinkRequest[] {
  switch (step.kind) {
    case 'setNeighbour':
      return [replaceNeighbour({ link: bridge, address: step.address, mac: step.mac })]
    case 'removeNeighbour':
      return [deleteNeighbour({ link: bridge, address: step.address })]
    case 'setForwarding':
      return [replaceForwarding({ link: vxlan, mac: step.mac, host: step.host })]
    case 'removeForwarding':
      return deleteForwarding({ link: vxlan, mac: step.mac })
    default:
      return []
  }
}

/** The entries that the kernel has now; a forwarding entry is one only with the bridge's half of it. */
export function observeEntries(socket: NetlinkSocket, { bridge, vxlan }: OverlayDevices): Entries {
  const onBridge = new Set(listBridgeForwarding(socket, bridge, vxlan))
  const forwarding = listForwarding(socket, vxlan).filter(({ mac }) => onBridge.has(mac))
  return observedEntries(listNeighbours(socket, bridge), forwarding)
}

/** What fits into a packet between hosts: the MTU of the device of the default route, less VXLAN's headers. */
export function defaultOverlayMtu(socket: NetlinkSocket): number {
  const route = listRoutes(socket).find(({ prefixLength }) => prefixLength === 0)
  const link = route?.link === undefined ? undefined : getLink(socket, route.link)
  return (link?.mtu ?? 1500) - vxlanOverhead
}
