/**
 * Network devices: requests that make, change and remove them, and the list of those that are there
 * (rtnetlink(7), ip-link(8); numbers of linux/rtnetlink.h and linux/if_link.h). The builders are pure.
 */
import type { NetlinkSocket } from './netlink.ts'
import {
  type Attribute,
  be16,
  decodeAttributes,
  encodeBody,
  formatMac,
  macBytes,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  text,
  textOf,
  u8,
  u32,
} from './netlink-wire.ts'

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18

const IFLA_ADDRESS = 1
const IFLA_IFNAME = 3
const IFLA_MTU = 4
const IFLA_LINK = 5
const IFLA_MASTER = 10
const IFLA_LINKINFO = 18
const IFLA_STATS64 = 23
const IFLA_AF_SPEC = 26
const IFLA_NET_NS_FD = 28
const IFLA_LINK_NETNSID = 37
const IFLA_INFO_KIND = 1
const IFLA_INFO_DATA = 2
const IFLA_INFO_SLAVE_KIND = 4
const IFLA_INFO_SLAVE_DATA = 5
const VETH_INFO_PEER = 1

const IFLA_BR_FORWARD_DELAY = 1
const IFLA_BR_STP_STATE = 5
const IFLA_BR_MCAST_SNOOPING = 23

const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_PORT = 15

const AF_INET6 = 10
const IFLA_INET6_ADDR_GEN_MODE = 8
const IN6_ADDR_GEN_MODE_NONE = 1

const IFF_UP = 1

/** The longest name that a device can have (IFNAMSIZ without the zero byte). */
export const longestLinkName = 15

/** What any device can be made with. */
export interface LinkOptions {
  name: string
  mtu?: number
  /** Its own hardware address; the kernel's choice when left out. */
  mac?: string
  /** Index of the bridge that it becomes a port of. */
  master?: number
  up?: boolean
}

export interface PeerOptions {
  name: string
  /** A descriptor of the namespace that it is made in; where the other end is when left out. */
  namespace?: number
  mtu?: number
  mac?: string
}

/** Flags of a bridge's port; what is left out stays as it is. */
export interface PortFlags {
  /** Sends a frame back out of the port that it came in by. */
  hairpin?: boolean
  learning?: boolean
  unicastFlood?: boolean
  multicastFlood?: boolean
  broadcastFlood?: boolean
  /** Answers for neighbours behind this port from the bridge's own neighbour table. */
  neighbourSuppress?: boolean
  /** Isolated ports reach the bridge itself and ports that are not, but not each other. */
  isolated?: boolean
}

const portFlagTypes: Record<keyof PortFlags, number> = {
  hairpin: 4,
  learning: 8,
  unicastFlood: 9,
  multicastFlood: 27,
  broadcastFlood: 30,
  neighbourSuppress: 32,
  isolated: 33,
}

function linkHeader(options: { index?: number; up?: boolean }): Buffer {
  const header = Buffer.alloc(16) // struct ifinfomsg
  header.writeInt32LE(options.index ?? 0, 4)
  if (options.up !== undefined) {
    header.writeUInt32LE(options.up ? IFF_UP : 0, 8)
    header.writeUInt32LE(IFF_UP, 12)
  }
  return header
}

function linkAttributes({ name, mtu, mac, master }: LinkOptions): Attribute[] {
  return [
    { type: IFLA_IFNAME, value: text(name) },
    ...(mtu === undefined ? [] : [{ type: IFLA_MTU, value: u32(mtu) }]),
    ...(mac === undefined ? [] : [{ type: IFLA_ADDRESS, value: macBytes(mac) }]),
    ...(master === undefined ? [] : [{ type: IFLA_MASTER, value: u32(master) }]),
  ]
}

function createLink(kind: string, options: LinkOptions, data: readonly Attribute[]): NetlinkRequest {
  return {
    what: `add ${kind} ${options.name}`,
    type: RTM_NEWLINK,
    flags: NLM_F_CREATE | NLM_F_EXCL,
    body: encodeBody(linkHeader(options), [
      ...linkAttributes(options),
      {
        type: IFLA_LINKINFO,
        value: [
          { type: IFLA_INFO_KIND, value: Buffer.from(kind) },
          ...(data.length > 0 ? [{ type: IFLA_INFO_DATA, value: data }] : []),
        ],
      },
    ]),
  }
}

/**
 * A bridge without spanning tree, whose ports forward at once. Its MTU follows its ports' unless it is set by
 * `changeLink` after it was made.
 */
export function addBridge(options: LinkOptions): NetlinkRequest {
  return createLink('bridge', options, [
    { type: IFLA_BR_FORWARD_DELAY, value: u32(0) },
    { type: IFLA_BR_STP_STATE, value: u32(0) },
    // Without a querier on the network, snooping only loses multicast.
    { type: IFLA_BR_MCAST_SNOOPING, value: u8(0) },
  ])
}

/** A pair of devices; the peer is made in its namespace directly, under its own name, and is down. */
export function addVeth(options: LinkOptions & { peer: PeerOptions }): NetlinkRequest {
  const { peer } = options
  const body = encodeBody(linkHeader({}), [
    ...linkAttributes(peer),
    ...(peer.namespace === undefined ? [] : [{ type: IFLA_NET_NS_FD, value: u32(peer.namespace) }]),
  ])
  return createLink('veth', options, [{ type: VETH_INFO_PEER, value: body }])
}

export interface VxlanOptions extends LinkOptions {
  /** VXLAN network identifier (RFC 7348), 24 bits. */
  vni: number
  /** UDP port of all ends. */
  port: number
}

/** A VXLAN device that learns nothing: it sends where its forwarding entries say and nowhere else. */
export function addVxlan(options: VxlanOptions): NetlinkRequest {
  return createLink('vxlan', options, [
    { type: IFLA_VXLAN_ID, value: u32(options.vni) },
    { type: IFLA_VXLAN_LEARNING, value: u8(0) },
    { type: IFLA_VXLAN_PORT, value: be16(options.port) },
  ])
}

export function addDummy(options: LinkOptions): NetlinkRequest {
  return createLink('dummy', options, [])
}

export interface LinkChange {
  up?: boolean
  mtu?: number
  mac?: string
  /** Index of a bridge; 0 takes it out of its bridge. */
  master?: number
  /** The device must be down. */
  rename?: string
  /** Moves it there; it leaves its bridge. */
  namespace?: number
  /** Whether IPv6 gives it a link-local address by itself when it goes up. */
  ipv6LinkLocal?: boolean
}

/** @param link its name or its index */
export function changeLink(link: string | number, change: LinkChange): NetlinkRequest {
  const { up, mtu, mac, master, rename, namespace, ipv6LinkLocal } = change
  const attributes: Attribute[] = []
  if (typeof link === 'string') attributes.push({ type: IFLA_IFNAME, value: text(link) })
  if (mtu !== undefined) attributes.push({ type: IFLA_MTU, value: u32(mtu) })
  if (mac !== undefined) attributes.push({ type: IFLA_ADDRESS, value: macBytes(mac) })
  if (master !== undefined) attributes.push({ type: IFLA_MASTER, value: u32(master) })
  if (rename !== undefined) attributes.push({ type: IFLA_IFNAME, value: text(rename) })
  if (namespace !== undefined) attributes.push({ type: IFLA_NET_NS_FD, value: u32(namespace) })
  if (ipv6LinkLocal !== undefined) {
    const mode = u8(ipv6LinkLocal ? 0 : IN6_ADDR_GEN_MODE_NONE)
    const inet6 = { type: AF_INET6, value: [{ type: IFLA_INET6_ADDR_GEN_MODE, value: mode }] }
    attributes.push({ type: IFLA_AF_SPEC, value: [inet6] })
  }
  const index = typeof link === 'number' ? link : 0
  return {
    what: `change ${link}`,
    type: RTM_NEWLINK,
    flags: 0,
    body: encodeBody(linkHeader({ index, up }), attributes),
  }
}

/** @param link its name or its index, of a port of a bridge */
export function changeBridgePort(link: string | number, flags: PortFlags): NetlinkRequest {
  const data = Object.entries(flags).map(([name, on]) => ({
    type: portFlagTypes[name as keyof PortFlags],
    value: u8(on ? 1 : 0),
  }))
  return {
    what: `change bridge port ${link}`,
    type: RTM_NEWLINK,
    flags: 0,
    body: encodeBody(linkHeader({ index: typeof link === 'number' ? link : 0 }), [
      ...(typeof link === 'string' ? [{ type: IFLA_IFNAME, value: text(link) }] : []),
      {
        type: IFLA_LINKINFO,
        value: [
          { type: IFLA_INFO_SLAVE_KIND, value: Buffer.from('bridge') },
          { type: IFLA_INFO_SLAVE_DATA, value: data },
        ],
      },
    ]),
  }
}

/** One that is gone already is fine. Of a veth pair both ends go. */
export function deleteLink(link: string | number): NetlinkRequest {
  return {
    what: `delete ${link}`,
    type: RTM_DELLINK,
    flags: 0,
    body: encodeBody(
      linkHeader({ index: typeof link === 'number' ? link : 0 }),
      typeof link === 'string' ? [{ type: IFLA_IFNAME, value: text(link) }] : [],
    ),
    tolerate: ['ENODEV'],
  }
}

export interface Link {
  index: number
  name: string
  /** "bridge", "veth", "vxlan" ...; empty for loopback and physical devices. */
  kind: string
  mtu: number
  mac: string
  up: boolean
  /** Index of its bridge. */
  master?: number
  /** Index of the other end of a veth, in the other end's namespace. */
  peer?: number
  /** Whether the other end is in another namespace. */
  peerIsElsewhere: boolean
  /** Of a VXLAN device. */
  vni?: number
  /** UDP port of a VXLAN device. */
  udpPort?: number
  /** Of a bridge's port. */
  port?: PortFlags
  rxBytes: number
  txBytes: number
  rxPackets: number
  txPackets: number
}

/** All devices of the socket's namespace. */
export function listLinks(socket: NetlinkSocket): Link[] {
  const request = { what: 'list links', type: RTM_GETLINK, flags: 0, body: linkHeader({}) }
  return socket.dump(request).map(decodeLink)
}

/** A device by its name or index, or undefined. */
export function getLink(socket: NetlinkSocket, link: string | number): Link | undefined {
  const index = typeof link === 'number' ? link : 0
  const name = typeof link === 'string' ? [{ type: IFLA_IFNAME, value: text(link) }] : []
  const body = encodeBody(linkHeader({ index }), name)
  const found = socket.get({ what: `get ${link}`, type: RTM_GETLINK, flags: 0, body })
  return found && decodeLink(found)
}

/** A device that must be there. @throws RangeError */
export function needLink(socket: NetlinkSocket, link: string | number): Link {
  const found = getLink(socket, link)
  if (!found) throw new RangeError(`no device ${link}`)
  return found
}

function decodeLink({ body }: NetlinkMessage): Link {
  const attributes = decodeAttributes(body.subarray(16))
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? Buffer.alloc(0))
  const data = decodeAttributes(info.get(IFLA_INFO_DATA) ?? Buffer.alloc(0))
  const kind = textOf(info.get(IFLA_INFO_KIND) ?? Buffer.alloc(0))
  const stats = attributes.get(IFLA_STATS64)
  const count = (n: number) => (stats ? Number(stats.readBigUInt64LE(8 * n)) : 0)
  const slaveData = info.get(IFLA_INFO_SLAVE_DATA)
  return {
    index: body.readInt32LE(4),
    name: textOf(attributes.get(IFLA_IFNAME) ?? Buffer.alloc(0)),
    kind,
    mtu: attributes.get(IFLA_MTU)?.readUInt32LE() ?? 0,
    mac: formatMac(attributes.get(IFLA_ADDRESS) ?? Buffer.alloc(0)),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.get(IFLA_MASTER)?.readUInt32LE(),
    peer: attributes.get(IFLA_LINK)?.readUInt32LE(),
    peerIsElsewhere: attributes.has(IFLA_LINK_NETNSID),
    vni: kind === 'vxlan' ? data.get(IFLA_VXLAN_ID)?.readUInt32LE() : undefined,
    udpPort: kind === 'vxlan' ? data.get(IFLA_VXLAN_PORT)?.readUInt16BE() : undefined,
    port: slaveData && decodePort(slaveData),
    rxPackets: count(0),
    txPackets: count(1),
    rxBytes: count(2),
    txBytes: count(3),
  }
}

function decodePort(bytes: Buffer): PortFlags {
  const attributes = decodeAttributes(bytes)
  const flags: PortFlags = {}
  for (const [name, type] of Object.entries(portFlagTypes)) {
    const value = attributes.get(type)
    if (value) flags[name as keyof PortFlags] = value[0] === 1
  }
  return flags
}
