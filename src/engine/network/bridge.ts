/**
 * A network's bridge on the host: what it should be, and the requests that make it so from what is there.
 * Doing it again changes nothing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { type AddressOptions, addAddress, deleteAddress, listAddresses } from '../kernel/netlink-addresses.ts'
import { addBridge, changeLink, getLink, type Link, needLink } from '../kernel/netlink-links.ts'
import type { NetlinkRequest } from '../kernel/netlink-wire.ts'
import { inNamespace } from '../kernel/netns.ts'
import type { HostDoors } from './context.ts'

export interface BridgePlan {
  name: string
  mac: string
  /** Undefined: the kernel's, which follows the ports'. */
  mtu?: number
  /** "172.17.0.1/16": all that it shall have. */
  addresses: string[]
  /** Somebody else's device: only an address that is missing is added, nothing else is touched. */
  isShared?: boolean
}

/** What is there of it now. */
export interface ObservedBridge {
  link: Pick<Link, 'index' | 'mac' | 'mtu' | 'up'>
  addresses: AddressOptions[]
}

/** From a device that is not there to one that is: the index is known only afterwards. */
export function planNewBridge({ name, mac, mtu }: BridgePlan): NetlinkRequest[] {
  return [
    addBridge({ name, mac }),
    changeLink(name, { ipv6LinkLocal: false, ...(mtu !== undefined && { mtu }) }),
    changeLink(name, { up: true }),
  ]
}

/** What is missing or wrong on a device that is there. */
export function planBridgeChanges(plan: BridgePlan, observed: ObservedBridge): NetlinkRequest[] {
  const { link, addresses } = observed
  const requests: NetlinkRequest[] = []
  if (!plan.isShared && link.mac !== plan.mac) requests.push(changeLink(plan.name, { mac: plan.mac }))
  if (!plan.isShared && plan.mtu !== undefined && link.mtu !== plan.mtu)
    requests.push(changeLink(plan.name, { mtu: plan.mtu }))
  if (!link.up) requests.push(changeLink(plan.name, { up: true }))
  const wanted = plan.addresses.map((text) => {
    const [address = '', prefixLength] = text.split('/')
    return { link: link.index, address, prefixLength: Number(prefixLength) }
  })
  const isIn = (list: AddressOptions[], one: AddressOptions) =>
    list.some(({ address, prefixLength }) => address === one.address && prefixLength === one.prefixLength)
  for (const one of wanted) if (!isIn(addresses, one)) requests.push(addAddress(one))
  if (plan.isShared) return requests
  for (const one of addresses) if (!isIn(wanted, one)) requests.push(deleteAddress(one))
  return requests
}

/**
 * Makes the bridge what the plan says.
 * @returns its index, and how many requests it took. @throws SystemCallError
 */
export function ensureBridge(doors: HostDoors, plan: BridgePlan): { index: number; changed: number } {
  const { socket } = doors
  let changed = 0
  let link = getLink(socket, plan.name)
  if (!link) {
    const requests = planNewBridge(plan)
    socket.execute(requests)
    changed += requests.length
    link = needLink(socket, plan.name)
  }
  const { index } = link
  const addresses = listAddresses(socket).filter((address) => address.link === index)
  const requests = planBridgeChanges(plan, { link, addresses })
  if (requests.length > 0) socket.execute(requests)
  // Ports published on 127.0.0.1 are reached from the bridge's side of the host; the table's raw chain keeps
  // containers from the rest of 127.0.0.0/8.
  if (plan.addresses.length > 0) setSysctl(doors, `net/ipv4/conf/${plan.name}/route_localnet`, '1')
  return { index, changed: changed + requests.length }
}

/** Writes a network sysctl of the host, if it has another value. @throws Error of the file system */
export function setSysctl({ namespace }: HostDoors, path: string, value: string): void {
  // What /proc/sys/net shows is the namespace of the thread that opens it.
  inNamespace(namespace, () => {
    const file = `/proc/sys/${path}`
    if (readFileSync(file, 'utf8').trim() !== value) writeFileSync(file, value)
  })
}
