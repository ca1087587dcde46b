/** The networks that there are, how they are found by name, and which of their addresses are taken. */
import { chooseAddress, isUsable } from './addresses.ts'
import type { TakenSubnet } from './create-body.ts'
import { fail } from './errors.ts'
import { formatIpv4, formatSubnet, parseIpv4, parseSubnet, type Subnet } from './ipv4.ts'
import { type BridgeOptions, bridgeOptionsOf } from './options.ts'
import type { EndpointRecord, NetworkRecord } from './records.ts'

/** A network, and who is on it. */
export interface LiveNetwork {
  record: NetworkRecord
  options: BridgeOptions
  /** Undefined where the network has no addresses. */
  subnet?: Subnet
  /** Index of its bridge; 0 while it has none. */
  bridge: number
  /** By container. */
  endpoints: Map<string, { endpoint: EndpointRecord; containerName: string }>
  /** Addresses that no endpoint can get: the gateway's, auxiliary ones, other hosts' (overlay). */
  fixed: Set<number>
  taken: Set<number>
  /** What the resolver answers for the containers of this host, lower case. */
  names: Map<string, string[]>
}

export class NetworkTable {
  readonly #byId = new Map<string, LiveNetwork>()

  add(record: NetworkRecord, bridge = 0): LiveNetwork {
    const subnet = record.ipam.subnet ? parseSubnet(record.ipam.subnet) : undefined
    const fixedTexts = [record.ipam.gateway, ...Object.values(record.ipam.auxiliary ?? {})]
    const network: LiveNetwork = {
      record,
      options: bridgeOptionsOf(record.options),
      subnet,
      bridge,
      endpoints: new Map(),
      fixed: new Set(fixedTexts.map(parseIpv4).filter((address) => address !== undefined)),
      taken: new Set(),
      names: new Map(),
    }
    this.#byId.set(record.id, network)
    return network
  }

  /** The same network, changed; who is on it stays. */
  update(record: NetworkRecord): LiveNetwork {
    const { bridge, endpoints, taken, names } = this.#byId.get(record.id)!
    return Object.assign(this.add(record, bridge), { endpoints, taken, names })
  }

  delete(id: string): void {
    this.#byId.delete(id)
  }

  get(id: string): LiveNetwork | undefined {
    return this.#byId.get(id)
  }

  all(): LiveNetwork[] {
    return [...this.#byId.values()]
  }

  /**
   * By id, name, or the beginning of an id, in this order. "default" is the network `bridge`.
   * @throws E_NETWORK_UNKNOWN, E_NETWORK_AMBIGUOUS
   */
  find(text: string): LiveNetwork {
    const name = text === 'default' || text === '' ? 'bridge' : text
    const known = this.#byId.get(name) ?? this.all().find(({ record }) => record.name === name)
    if (known) return known
    const matches = this.all().filter(({ record }) => record.id.startsWith(name))
    if (matches.length > 1) throw fail('E_NETWORK_AMBIGUOUS', { name: text, count: matches.length })
    if (!matches[0]) throw fail('E_NETWORK_UNKNOWN', { name: text })
    return matches[0]
  }

  hasName(name: string): boolean {
    return this.all().some(({ record }) => record.name === name)
  }

  subnets(): TakenSubnet[] {
    return this.all().flatMap(({ subnet, record }) => (subnet ? [{ subnet, by: record.name }] : []))
  }
}

/**
 * Takes an address of the network.
 * @param wanted as the user or the swarm asked for it; any free one when left out
 * @throws E_ADDRESS_INVALID, E_ADDRESS_TAKEN, E_NO_ADDRESS
 */
export function takeAddress(network: LiveNetwork, wanted: string | undefined): string {
  const { subnet, record, taken, fixed } = network
  if (!subnet) throw fail('E_NO_ADDRESS', { network: record.name, subnet: 'it has none' })
  const range = record.ipam.range ? parseSubnet(record.ipam.range) : undefined
  if (wanted !== undefined) {
    const address = parseIpv4(wanted)
    if (address === undefined || !isUsable({ subnet, range }, address)) {
      throw fail('E_ADDRESS_INVALID', { address: wanted, problem: `not in ${formatSubnet(subnet)}` })
    }
    if (taken.has(address) || fixed.has(address)) throw fail('E_ADDRESS_TAKEN', { address: wanted })
    taken.add(address)
    return wanted
  }
  if (record.scope === 'swarm') {
    throw fail('E_ADDRESS_INVALID', {
      address: '(none)',
      problem: `the swarm hands out those of ${record.name}`,
    })
  }
  const address = chooseAddress({ subnet, range }, (one) => taken.has(one) || fixed.has(one))
  if (address === undefined) {
    throw fail('E_NO_ADDRESS', { network: record.name, subnet: record.ipam.range ?? formatSubnet(subnet) })
  }
  taken.add(address)
  return formatIpv4(address)
}

export function freeAddress({ taken }: LiveNetwork, address: string): void {
  const number = parseIpv4(address)
  if (number !== undefined) taken.delete(number)
}

/** Ties an endpoint to its network. Its address, taken before or not, is taken from now on. */
export function joinNetwork(
  network: LiveNetwork,
  containerId: string,
  containerName: string,
  endpoint: EndpointRecord,
): void {
  const address = parseIpv4(endpoint.address)
  if (address !== undefined) network.taken.add(address)
  network.endpoints.set(containerId, { endpoint, containerName })
  for (const name of lowerNames(endpoint)) {
    network.names.set(name, [...(network.names.get(name) ?? []), endpoint.address])
  }
}

export function leaveNetwork(network: LiveNetwork, containerId: string): void {
  const known = network.endpoints.get(containerId)
  if (!known) return
  const { endpoint } = known
  network.endpoints.delete(containerId)
  freeAddress(network, endpoint.address)
  for (const name of lowerNames(endpoint)) {
    const left = network.names.get(name)?.filter((address) => address !== endpoint.address)
    if (left?.length) network.names.set(name, left)
    else network.names.delete(name)
  }
}

function lowerNames({ dnsNames }: EndpointRecord): Set<string> {
  return new Set(dnsNames.map((name) => name.toLowerCase()))
}
