/** IPv4 addresses and routes (rtnetlink(7), ip-address(8), ip-route(8)). The builders are pure. */
import type { NetlinkSocket } from './netlink.ts'
import {
  decodeAttributes,
  encodeBody,
  formatIpv4,
  ipv4Bytes,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  u32,
} from './netlink-wire.ts'

const RTM_NEWADDR = 20
const RTM_DELADDR = 21
const RTM_GETADDR = 22
const RTM_NEWROUTE = 24
const RTM_DELROUTE = 25
const RTM_GETROUTE = 26
const AF_INET = 2

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const RTA_DST = 1
const RTA_OIF = 4
const RTA_GATEWAY = 5
const RTA_PREFSRC = 7
const RT_TABLE_MAIN = 254
const RTPROT_STATIC = 4
const RT_SCOPE_UNIVERSE = 0
const RT_SCOPE_LINK = 253
const RTN_UNICAST = 1

export interface AddressOptions {
  /** Index of the device. */
  link: number
  address: string
  prefixLength: number
}

function addressHeader({ link, prefixLength }: AddressOptions): Buffer {
  const header = Buffer.alloc(8) // struct ifaddrmsg
  header[0] = AF_INET
  header[1] = prefixLength
  header.writeUInt32LE(link, 4)
  return header
}

function broadcastOf(address: Buffer, prefixLength: number): Buffer {
  const bytes = Buffer.from(address)
  const hostBits = 32 - prefixLength
  bytes.writeUInt32BE((bytes.readUInt32BE() | (hostBits === 0 ? 0 : 0xffffffff >>> (32 - hostBits))) >>> 0)
  return bytes
}

/** One that is there already is fine. */
export function addAddress(options: AddressOptions): NetlinkRequest {
  const address = ipv4Bytes(options.address)
  const { prefixLength } = options
  return {
    what: `add address ${options.address}/${prefixLength}`,
    type: RTM_NEWADDR,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encodeBody(addressHeader(options), [
      { type: IFA_LOCAL, value: address },
      { type: IFA_ADDRESS, value: address },
      ...(prefixLength < 31 ? [{ type: IFA_BROADCAST, value: broadcastOf(address, prefixLength) }] : []),
    ]),
    tolerate: ['EEXIST'],
  }
}

/** One that is gone already is fine. */
export function deleteAddress(options: AddressOptions): NetlinkRequest {
  return {
    what: `delete address ${options.address}/${options.prefixLength}`,
    type: RTM_DELADDR,
    flags: 0,
    body: encodeBody(addressHeader(options), [{ type: IFA_LOCAL, value: ipv4Bytes(options.address) }]),
    tolerate: ['EADDRNOTAVAIL', 'ENODEV'],
  }
}

/** The IPv4 addresses of the socket's namespace. */
export function listAddresses(socket: NetlinkSocket): AddressOptions[] {
  const body = addressHeader({ link: 0, address: '', prefixLength: 0 })
  return socket.dump({ what: 'list addresses', type: RTM_GETADDR, flags: 0, body }).map(({ body }) => ({
    link: body.readUInt32LE(4),
    address: formatIpv4(decodeAttributes(body.subarray(8)).get(IFA_LOCAL) ?? Buffer.alloc(4)),
    prefixLength: body[1]!,
  }))
}

export interface RouteOptions {
  /** Of the destination; "0.0.0.0" with length 0 is the default route. */
  destination: string
  prefixLength: number
  /** Left out: the destination is on the device's own link. */
  gateway?: string
  /** Index of the device; the gateway tells it when left out. */
  link?: number
  /** The address that packets along it come from, unless bound. */
  source?: string
}

function routeBody(options: RouteOptions): Buffer {
  const header = Buffer.alloc(12) // struct rtmsg
  header[0] = AF_INET
  header[1] = options.prefixLength
  header[4] = RT_TABLE_MAIN
  header[5] = RTPROT_STATIC
  header[6] = options.gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
  header[7] = RTN_UNICAST
  return encodeBody(header, [
    ...(options.prefixLength > 0 ? [{ type: RTA_DST, value: ipv4Bytes(options.destination) }] : []),
    ...(options.gateway === undefined ? [] : [{ type: RTA_GATEWAY, value: ipv4Bytes(options.gateway) }]),
    ...(options.link === undefined ? [] : [{ type: RTA_OIF, value: u32(options.link) }]),
    ...(options.source === undefined ? [] : [{ type: RTA_PREFSRC, value: ipv4Bytes(options.source) }]),
  ])
}

const routeName = ({ destination, prefixLength }: RouteOptions) =>
  prefixLength === 0 ? 'default route' : `route ${destination}/${prefixLength}`

/** Adds the route, or changes the one that is there for the same destination. */
export function replaceRoute(options: RouteOptions): NetlinkRequest {
  return {
    what: `set ${routeName(options)}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: routeBody(options),
  }
}

/** One that is gone already is fine. */
export function deleteRoute(options: RouteOptions): NetlinkRequest {
  return {
    what: `delete ${routeName(options)}`,
    type: RTM_DELROUTE,
    flags: 0,
    body: routeBody(options),
    tolerate: ['ESRCH', 'ENODEV'],
  }
}

/** The IPv4 routes of the socket's namespace, those of its local table (own addresses) left out. */
export function listRoutes(socket: NetlinkSocket): RouteOptions[] {
  const header = Buffer.alloc(12)
  header[0] = AF_INET
  return socket
    .dump({ what: 'list routes', type: RTM_GETROUTE, flags: 0, body: header })
    .filter(({ body }) => body[4] === RT_TABLE_MAIN && body[7] === RTN_UNICAST)
    .map(({ body }) => {
      const attributes = decodeAttributes(body.subarray(12))
      const gateway = attributes.get(RTA_GATEWAY)
      const source = attributes.get(RTA_PREFSRC)
      return {
        destination: formatIpv4(attributes.get(RTA_DST) ?? Buffer.alloc(4)),
        prefixLength: body[1]!,
        ...(gateway && { gateway: formatIpv4(gateway) }),
        ...(source && { source: formatIpv4(source) }),
        link: attributes.get(RTA_OIF)?.readUInt32LE(),
      }
    })
}
