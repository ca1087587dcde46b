/**
 * From what was to what shall be: the steps that change the host's overlay devices and their tables. Pure; a
 * step can be done twice. The firewall's part is not here but in host-rules.ts, one transaction for all.
 */
import { isIPv4 } from 'node:net'
import type { ForwardingEntry, Neighbour } from '../../kernel/netlink-neighbours.ts'
import { isMac } from '../../kernel/netlink-wire.ts'
import { dataPathPortOf, type SwarmNetwork, type SwarmPeer } from './state.ts'

export type OverlayStep =
  | { kind: 'makeNetwork'; network: SwarmNetwork }
  | { kind: 'removeNetwork'; network: string }
  | { kind: 'setNeighbour'; network: string; address: string; mac: string }
  | { kind: 'removeNeighbour'; network: string; address: string }
  | { kind: 'setForwarding'; network: string; mac: string; host: string }
  | { kind: 'removeForwarding'; network: string; mac: string }

/** The permanent entries of a network's devices: those that the kernel has, or those that it shall have. */
export interface Entries {
  /** Address -> hardware address, on the bridge. */
  neighbours: ReadonlyMap<string, string>
  /** Hardware address -> host, on the VXLAN device. */
  forwarding: ReadonlyMap<string, string>
}

const noEntries: Entries = { neighbours: new Map(), forwarding: new Map() }

/** A network as it is on this host before a change. */
export interface KnownNetwork {
  /** As it was made; undefined where it is not known how. */
  network?: SwarmNetwork
  entries: Entries
}

/**
 * Networks that go come first, since a new one may need their identifier.
 * @param previous by id
 */
export function planOverlay(
  previous: ReadonlyMap<string, KnownNetwork>,
  wanted: readonly SwarmNetwork[],
): OverlayStep[] {
  const steps: OverlayStep[] = []
  const after = new Map(wanted.map((network) => [network.id, network]))
  for (const [id, { network }] of previous) {
    const next = after.get(id)
    if (!next || (network && isOther(network, next))) steps.push({ kind: 'removeNetwork', network: id })
  }
  for (const [id, next] of after) {
    const { network, entries = noEntries } = previous.get(id) ?? {}
    const isNew = network !== undefined && isOther(network, next)
    if (!network || isNew || devicesOf(network) !== devicesOf(next)) {
      steps.push({ kind: 'makeNetwork', network: next })
    }
    steps.push(...planEntries(id, isNew ? noEntries : entries, entriesOf(next.peers)))
  }
  return steps
}

/** What turns a network's entries into the wanted ones. */
export function planEntries(network: string, before: Entries, wanted: Entries): OverlayStep[] {
  const steps: OverlayStep[] = []
  for (const address of before.neighbours.keys()) {
    if (!wanted.neighbours.has(address)) steps.push({ kind: 'removeNeighbour', network, address })
  }
  for (const mac of before.forwarding.keys()) {
    if (!wanted.forwarding.has(mac)) steps.push({ kind: 'removeForwarding', network, mac })
  }
  for (const [mac, host] of wanted.forwarding) {
    if (before.forwarding.get(mac) !== host) steps.push({ kind: 'setForwarding', network, mac, host })
  }
  for (const [address, mac] of wanted.neighbours) {
    if (before.neighbours.get(address) !== mac) steps.push({ kind: 'setNeighbour', network, address, mac })
  }
  return steps
}

/** The entries for what lives elsewhere. Of a peer that can have none there are none. */
export function entriesOf(peers: readonly SwarmPeer[]): Entries {
  const sound = peers.filter((peer) => faultOf(peer) === undefined)
  return {
    neighbours: new Map(sound.map(({ address, macAddress }) => [address, macAddress.toLowerCase()])),
    forwarding: new Map(sound.map(({ macAddress, host }) => [macAddress.toLowerCase(), host])),
  }
}

/** Why the peer can have no entries, in words; undefined when it can. */
export function faultOf({ address, macAddress, host }: SwarmPeer): string | undefined {
  if (!isIPv4(host)) return `the host of ${address} has no IPv4 address but '${host}'`
  if (!isIPv4(address)) return `'${address}' is not an IPv4 address`
  if (!isMac(macAddress)) return `'${macAddress}' of ${address} is not an Ethernet address`
  return undefined
}

/** The entries that the kernel has. */
export function observedEntries(
  neighbours: readonly Pick<Neighbour, 'address' | 'mac'>[],
  forwarding: readonly Pick<ForwardingEntry, 'mac' | 'host'>[],
): Entries {
  return {
    neighbours: new Map(neighbours.map(({ address, mac }) => [address, mac])),
    forwarding: new Map(forwarding.map(({ mac, host }) => [mac, host])),
  }
}

/** One line for the log. */
export function describeStep(step: OverlayStep): string {
  switch (step.kind) {
    case 'makeNetwork':
      return `make network ${step.network.name} (${step.network.subnet}, VNI ${step.network.vni})`
    case 'removeNetwork':
      return `remove network ${step.network}`
    case 'setNeighbour':
      return `${step.address} is at ${step.mac}`
    case 'removeNeighbour':
      return `forget ${step.address}`
    case 'setForwarding':
      return `${step.mac} is on host ${step.host}`
    case 'removeForwarding':
      return `forget ${step.mac}`
  }
}

/** What can't be changed in place: the devices must be made anew. */
function isOther(a: SwarmNetwork, b: SwarmNetwork): boolean {
  return a.vni !== b.vni || a.subnet !== b.subnet || dataPathPortOf(a) !== dataPathPortOf(b)
}

/** All that the devices and the record depend on. */
function devicesOf({ peers, names, virtualAddresses, ...rest }: SwarmNetwork): string {
  return JSON.stringify(rest)
}
