/**
 * From what a container asks for to its endpoints: which networks, which names, which address. Nothing here
 * touches the kernel; addresses are taken in the table.
 */
import { newHexId, shortId } from '../../shared/ids.ts'
import { macOf } from './addresses.ts'
import { fail } from './errors.ts'
import { parseIpv4 } from './ipv4.ts'
import type { Names } from './names.ts'
import { freeAddress, type LiveNetwork, type NetworkTable, takeAddress } from './network-table.ts'
import type { EndpointRecord } from './records.ts'
import type { EndpointConfig } from './shapes.ts'

/** Who is being attached. */
export interface Attachee {
  id: string
  /** Without the API's slash. */
  name: string
  hostname: string
}

export interface WantedEndpoint {
  network: LiveNetwork
  config: EndpointConfig
}

/** The modes that give a container no endpoint. */
const modesWithout = ['host', 'none']

/**
 * Which networks a container is on: HostConfig.NetworkMode together with EndpointsConfig, by Docker's rules.
 * The mode's own network comes first, the others by name.
 * @throws E_NETWORK_UNKNOWN, E_NETWORK_MODE, E_ADDRESS_INVALID
 */
export function wantedEndpoints(
  table: NetworkTable,
  mode: string,
  configs: Readonly<Record<string, EndpointConfig | null>>,
): WantedEndpoint[] {
  const names = Object.keys(configs)
  if (mode.startsWith('container:')) {
    if (names.length > 0)
      throw fail('E_NETWORK_MODE', { problem: 'container type network and other networks' })
    return []
  }
  if (modesWithout.includes(mode)) {
    if (names.some((name) => name !== mode)) {
      throw fail('E_NETWORK_MODE', { problem: `${mode} network and other networks` })
    }
    return []
  }
  const first = table.find(mode)
  const isUserDefined = !['', 'default', 'bridge'].includes(mode)
  const wanted = new Map<LiveNetwork, EndpointConfig>()
  if (isUserDefined || names.length === 0) wanted.set(first, {})
  for (const name of names) {
    const network = table.find(name)
    const config = configs[name] ?? {}
    checkEndpointConfig(network, config)
    wanted.set(network, config)
  }
  return [...wanted]
    .map(([network, config]) => ({ network, config }))
    .sort(
      (a, b) =>
        Number(b.network === first) - Number(a.network === first) ||
        (a.network.record.name < b.network.record.name ? -1 : 1),
    )
}

/** @throws E_NETWORK_MODE, E_ADDRESS_INVALID */
export function checkEndpointConfig(network: LiveNetwork, { IPAMConfig, MacAddress }: EndpointConfig): void {
  const { name, driver } = network.record
  if (driver === 'host' || driver === 'null') {
    throw fail('E_NETWORK_MODE', { problem: `${name} network and other networks` })
  }
  const address = IPAMConfig?.IPv4Address
  if (address && name === 'bridge') {
    throw fail('E_ADDRESS_INVALID', {
      address,
      problem: 'user specified IP address is supported on user defined networks only',
    })
  }
  if (address && parseIpv4(address) === undefined) {
    throw fail('E_ADDRESS_INVALID', { address, problem: 'no IPv4 address' })
  }
  // A group address can't be a device's own (IEEE 802, the lowest bit of the first byte).
  if (MacAddress && !/^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(MacAddress)) {
    throw fail('E_ADDRESS_INVALID', { address: MacAddress, problem: 'no hardware address of a device' })
  }
}

export interface EndpointOptions {
  names: Names
  /** Whether a device of the host or of our records has that name. */
  isDeviceTaken: (name: string) => boolean
  /** Devices that the container has already. */
  interfaces: readonly string[]
}

/**
 * Takes an address and makes the record. What it took is given back by `freeAddress`.
 * @throws E_ADDRESS_INVALID, E_ADDRESS_TAKEN, E_NO_ADDRESS, E_ENDPOINT_EXISTS
 */
export function planEndpoint(
  { network, config }: WantedEndpoint,
  { id, name, hostname }: Attachee,
  { names, isDeviceTaken, interfaces }: EndpointOptions,
): EndpointRecord {
  const { record, options, subnet } = network
  if (network.endpoints.has(id)) throw fail('E_ENDPOINT_EXISTS', { container: name, network: record.name })
  const wanted = config.IPAMConfig?.IPv4Address || undefined
  const address = takeAddress(network, wanted)
  try {
    const endpointId = newHexId()
    const aliases = config.Aliases ?? []
    return {
      id: endpointId,
      networkId: record.id,
      networkName: record.name,
      address,
      prefixLength: subnet!.prefixLength,
      gateway: record.internal ? '' : record.ipam.gateway,
      mac: config.MacAddress?.toLowerCase() || macOf(parseIpv4(address)!),
      device: names.endpoint(endpointId, isDeviceTaken),
      interface: freeInterface(options.interfacePrefix, interfaces),
      aliases,
      dnsNames: record.name === 'bridge' ? [] : [...new Set([name, ...aliases, shortId(id), hostname])],
      gatewayPriority: config.GwPriority ?? 0,
      requested: { ...(wanted && { address: wanted }), ...(config.MacAddress && { mac: config.MacAddress }) },
      ...(config.DriverOpts && { driverOptions: config.DriverOpts }),
      ...(config.Links && { links: config.Links }),
    }
  } catch (error) {
    freeAddress(network, address)
    throw error
  }
}

function freeInterface(prefix: string, used: readonly string[]): string {
  for (let i = 0; ; i++) if (!used.includes(`${prefix}${i}`)) return `${prefix}${i}`
}

/**
 * Which endpoint has the default route, and with it the published ports: the highest priority, then the first
 * by the network's name, the swarm's ingress network last. Undefined where none leads out.
 */
export function gatewayEndpoint(
  endpoints: readonly EndpointRecord[],
  isIngress: (networkId: string) => boolean,
): EndpointRecord | undefined {
  return endpoints
    .filter(({ gateway }) => gateway !== '')
    .toSorted(
      (a, b) =>
        b.gatewayPriority - a.gatewayPriority ||
        Number(isIngress(a.networkId)) - Number(isIngress(b.networkId)) ||
        (a.networkName < b.networkName ? -1 : 1),
    )[0]
}
