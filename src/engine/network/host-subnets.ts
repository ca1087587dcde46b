/** Which subnets the host has routes or addresses in. */

import type { NetlinkSocket } from '../kernel/netlink.ts'
import { listAddresses, listRoutes } from '../kernel/netlink-addresses.ts'
import { parseIpv4, type Subnet, subnetOf } from './ipv4.ts'

export interface HostSubnet {
  subnet: Subnet
  /** Index of the device. */
  link: number
}

/** Of routes and addresses both: a device that is down has only the latter. The default route is none. */
export function subnetsOfHost(socket: NetlinkSocket): HostSubnet[] {
  const routes = listRoutes(socket)
    .filter(({ prefixLength }) => prefixLength > 0)
    .map(({ destination, prefixLength, link = 0 }) => ({ text: destination, prefixLength, link }))
  const addresses = listAddresses(socket).map(({ address, prefixLength, link }) => ({
    text: address,
    prefixLength,
    link,
  }))
  return [...routes, ...addresses].flatMap(({ text, prefixLength, link }) => {
    const address = parseIpv4(text)
    return address === undefined ? [] : [{ subnet: subnetOf(address, prefixLength), link }]
  })
}
