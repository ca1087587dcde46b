/**
 * Neighbours (which hardware address an IPv4 address has) and forwarding entries (behind which port of a
 * bridge, or on which host beyond a VXLAN device, a hardware address is): rtnetlink(7), bridge(8). Only
 * those that stay: they are tables of ours, not what the kernel has learned. The builders are pure.
 */
import type { NetlinkSocket } from './netlink.ts'
import {
  decodeAttributes,
  encodeBody,
  formatIpv4,
  formatMac,
  ipv4Bytes,
  macBytes,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  u32,
} from './netlink-wire.ts'

const RTM_NEWNEIGH = 28
const RTM_DELNEIGH = 29
const RTM_GETNEIGH = 30
const AF_INET = 2
const AF_BRIDGE = 7
const NDA_DST = 1
const NDA_LLADDR = 2
const NDA_MASTER = 9
const NDA_IFINDEX = 8
const NUD_REACHABLE = 0x02
const NUD_NOARP = 0x40
const NUD_PERMANENT = 0x80
const NTF_SELF = 0x02
const NTF_MASTER = 0x04

export interface Neighbour {
  /** Index of the device. */
  link: number
  address: string
  mac: string
}

export interface ForwardingEntry {
  /** Index of the VXLAN device. */
  link: number
  mac: string
  /** Where the host takes VXLAN packets. */
  host: string
}

function header(family: number, link: number, state: number, flags: number): Buffer {
  const bytes = Buffer.alloc(12) // struct ndmsg
  bytes[0] = family
  bytes.writeInt32LE(link, 4)
  bytes.writeUInt16LE(state, 8)
  bytes[10] = flags
  return bytes
}

/** Adds or changes it. */
export function replaceNeighbour({ link, address, mac }: Neighbour): NetlinkRequest {
  return {
    what: `set neighbour ${address} ${mac}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeBody(header(AF_INET, link, NUD_PERMANENT, 0), [
      { type: NDA_DST, value: ipv4Bytes(address) },
      { type: NDA_LLADDR, value: macBytes(mac) },
    ]),
  }
}

/** One that is gone already is fine. */
export function deleteNeighbour({ link, address }: Omit<Neighbour, 'mac'>): NetlinkRequest {
  return {
    what: `delete neighbour ${address}`,
    type: RTM_DELNEIGH,
    flags: 0,
    body: encodeBody(header(AF_INET, link, 0, 0), [{ type: NDA_DST, value: ipv4Bytes(address) }]),
    tolerate: ['ENOENT', 'ENODEV'],
  }
}

/** The permanent IPv4 neighbours of a device. */
export function listNeighbours(socket: NetlinkSocket, link: number): Neighbour[] {
  const body = encodeBody(header(AF_INET, 0, 0, 0), [{ type: NDA_IFINDEX, value: u32(link) }])
  return socket
    .dump({ what: 'list neighbours', type: RTM_GETNEIGH, flags: 0, body })
    .filter((message) => hasState(message, NUD_PERMANENT) && message.body.readInt32LE(4) === link)
    .map(({ body }) => {
      const attributes = decodeAttributes(body.subarray(12))
      return {
        link,
        address: formatIpv4(attributes.get(NDA_DST) ?? Buffer.alloc(4)),
        mac: formatMac(attributes.get(NDA_LLADDR) ?? Buffer.alloc(0)),
      }
    })
}

/**
 * Where a VXLAN device sends frames for a hardware address, and, in the same message, that its bridge sends
 * them to this device. Both entries are static (`bridge fdb replace ... self master static`): to a bridge,
 * permanent would mean an address of its own.
 */
export function replaceForwarding({ link, mac, host }: ForwardingEntry): NetlinkRequest {
  return {
    what: `set forwarding ${mac} to ${host}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: encodeBody(header(AF_BRIDGE, link, NUD_NOARP | NUD_REACHABLE, NTF_SELF | NTF_MASTER), [
      { type: NDA_LLADDR, value: macBytes(mac) },
      { type: NDA_DST, value: ipv4Bytes(host) },
    ]),
  }
}

/** Both entries. One that is gone already is fine. */
export function deleteForwarding({ link, mac }: Omit<ForwardingEntry, 'host'>): NetlinkRequest[] {
  // One message for both would stop at the first that is gone.
  return [NTF_SELF, NTF_MASTER].map((flags) => ({
    what: `delete forwarding ${mac}`,
    type: RTM_DELNEIGH,
    flags: 0,
    body: encodeBody(header(AF_BRIDGE, link, 0, flags), [{ type: NDA_LLADDR, value: macBytes(mac) }]),
    tolerate: ['ENOENT', 'ENODEV', 'EINVAL'],
  }))
}

/** A VXLAN device's own entries: hardware address and host. */
export function listForwarding(socket: NetlinkSocket, link: number): ForwardingEntry[] {
  return dumpForwarding(socket, link)
    .filter((message) => hasState(message, NUD_NOARP) && (message.body[10]! & NTF_SELF) !== 0)
    .flatMap(({ body }) => {
      const attributes = decodeAttributes(body.subarray(12))
      const host = attributes.get(NDA_DST)
      const mac = attributes.get(NDA_LLADDR)
      return host && mac ? [{ link, mac: formatMac(mac), host: formatIpv4(host) }] : []
    })
}

/** The hardware addresses that a bridge forwards to this port of it by a static entry. */
export function listBridgeForwarding(socket: NetlinkSocket, bridge: number, port: number): string[] {
  const body = encodeBody(header(AF_BRIDGE, 0, 0, 0), [{ type: NDA_MASTER, value: u32(bridge) }])
  return socket
    .dump({ what: 'list bridge forwarding', type: RTM_GETNEIGH, flags: 0, body })
    .filter((message) => hasState(message, NUD_NOARP) && !hasState(message, NUD_PERMANENT))
    .filter(({ body }) => body.readInt32LE(4) === port)
    .flatMap(({ body }) => {
      const attributes = decodeAttributes(body.subarray(12))
      const mac = attributes.get(NDA_LLADDR)
      return attributes.has(NDA_MASTER) && mac ? [formatMac(mac)] : []
    })
}

function dumpForwarding(socket: NetlinkSocket, link: number): NetlinkMessage[] {
  const body = header(AF_BRIDGE, link, 0, 0)
  return socket.dump({ what: 'list forwarding', type: RTM_GETNEIGH, flags: 0, body })
}

function hasState({ body }: NetlinkMessage, state: number): boolean {
  return (body.readUInt16LE(8) & state) !== 0
}
