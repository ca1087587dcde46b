/** The body of POST /networks/create -> a network's record, as far as the body decides it. Pure. */
import { isUsable } from './addresses.ts'
import { fail } from './errors.ts'
import {
  contains,
  encloses,
  formatIpv4,
  formatSubnet,
  overlaps,
  parseIpv4,
  parseSubnet,
  type Subnet,
} from './ipv4.ts'
import { bridgeOptionsOf } from './options.ts'
import { chooseSubnet } from './pools.ts'
import type { NetworkIpam } from './records.ts'
import type { Ipam, IpamConfig, NetworkCreateBody } from './shapes.ts'

/** A subnet that is in use, and by whom, for the error. */
export interface TakenSubnet {
  subnet: Subnet
  by: string
}

export interface CreateRequest {
  name: string
  internal: boolean
  attachable: boolean
  options: Record<string, string>
  labels: Record<string, string>
  ipam: NetworkIpam
  warnings: string[]
}

const predefined = ['bridge', 'host', 'none', 'default']

/**
 * Checks the body, and completes what it leaves open.
 * @param ownNetworks subnets of the engine's networks: a wanted one may not overlap them
 * @param others what else the host routes: a subnet that we choose avoids it too
 * @throws E_NETWORK_OPTION, E_NETWORK_PREDEFINED, E_NETWORK_DRIVER, E_SUBNET_OVERLAP, E_NO_SUBNET
 */
export function readCreateBody(
  body: NetworkCreateBody,
  ownNetworks: readonly TakenSubnet[],
  others: readonly Subnet[],
): CreateRequest {
  checkName(body.Name)
  checkDriver(body)
  const warnings: string[] = []
  if (body.EnableIPv6) warnings.push('IPv6 is not supported yet: the network has IPv4 only')
  const options = body.Options ?? {}
  bridgeOptionsOf(options)
  return {
    name: body.Name,
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    options,
    labels: body.Labels ?? {},
    ipam: readIpam(body.IPAM ?? {}, ownNetworks, others, warnings),
    warnings,
  }
}

function checkName(name: unknown): void {
  if (typeof name !== 'string' || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name)) {
    throw option(
      'Name',
      `${JSON.stringify(name)} must begin with a letter or digit and go on with those and _.-`,
    )
  }
  if (predefined.includes(name)) throw fail('E_NETWORK_PREDEFINED', { name, verb: 'create' })
}

function checkDriver({
  Driver: driver = 'bridge',
  Ingress,
  ConfigOnly,
  ConfigFrom,
  EnableIPv4,
}: NetworkCreateBody): void {
  if (driver !== 'bridge' && driver !== 'default' && driver !== '') throw fail('E_NETWORK_DRIVER', { driver })
  if (Ingress) throw option('Ingress', 'only a network of a swarm can be it')
  if (ConfigOnly || ConfigFrom?.Network)
    throw option('ConfigOnly', 'networks that are only a configuration are not supported')
  if (EnableIPv4 === false) throw option('EnableIPv4', 'a network without IPv4 is not supported yet')
}

function readIpam(
  { Driver: driver, Options, Config }: Partial<Ipam>,
  ownNetworks: readonly TakenSubnet[],
  others: readonly Subnet[],
  warnings: string[],
): NetworkIpam {
  if (driver && driver !== 'default')
    throw option('IPAM.Driver', `there is no driver ${JSON.stringify(driver)}`)
  const all = Config ?? []
  const four = all.filter((config) => !config.Subnet?.includes(':'))
  if (four.length < all.length) warnings.push('IPv6 is not supported yet: its subnets are passed over')
  if (four.length > 1) throw option('IPAM.Config', "the bridge driver doesn't support multiple subnets")
  const config = four[0] ?? {}
  const subnet = config.Subnet
    ? wantedSubnet(config.Subnet, ownNetworks)
    : freeSubnet(config, ownNetworks, others)
  return {
    driver: 'default',
    options: Options ?? {},
    subnet: formatSubnet(subnet),
    ...readAddresses(subnet, config),
  }
}

function wantedSubnet(text: string, ownNetworks: readonly TakenSubnet[]): Subnet {
  const subnet = parseSubnet(text)
  if (!subnet || subnet.prefixLength > 30) {
    throw option('IPAM.Config.Subnet', `${JSON.stringify(text)} is no IPv4 subnet such as 172.28.0.0/16`)
  }
  const other = ownNetworks.find((taken) => overlaps(taken.subnet, subnet))
  if (other) {
    throw fail('E_SUBNET_OVERLAP', { subnet: text, other: `${formatSubnet(other.subnet)} of ${other.by}` })
  }
  return subnet
}

function freeSubnet(
  config: IpamConfig,
  ownNetworks: readonly TakenSubnet[],
  others: readonly Subnet[],
): Subnet {
  for (const field of ['Gateway', 'IPRange', 'AuxiliaryAddresses'] as const) {
    if (config[field]) throw option(`IPAM.Config.${field}`, 'needs a Subnet beside it')
  }
  const subnet = chooseSubnet([...ownNetworks.map((taken) => taken.subnet), ...others])
  if (!subnet) throw fail('E_NO_SUBNET', {})
  return subnet
}

function readAddresses(
  subnet: Subnet,
  config: IpamConfig,
): Pick<NetworkIpam, 'gateway' | 'range' | 'auxiliary'> {
  const within = (field: string, text: string): number => {
    const address = parseIpv4(text.replace(/\/.*/, ''))
    if (address === undefined || !isUsable({ subnet }, address)) {
      throw option(`IPAM.Config.${field}`, `${JSON.stringify(text)} is no address in ${formatSubnet(subnet)}`)
    }
    return address
  }
  const range = config.IPRange ? parseSubnet(config.IPRange) : undefined
  if (config.IPRange && (!range || !encloses(subnet, range))) {
    throw option(
      'IPAM.Config.IPRange',
      `${JSON.stringify(config.IPRange)} is no block within ${formatSubnet(subnet)}`,
    )
  }
  const auxiliary = Object.entries(config.AuxiliaryAddresses ?? {})
  for (const [name, address] of auxiliary) within(`AuxiliaryAddresses.${name}`, address)
  const gateway = config.Gateway
    ? within('Gateway', config.Gateway)
    : firstFree(
        subnet,
        range,
        auxiliary.map(([, address]) => parseIpv4(address)),
      )
  return {
    gateway: formatIpv4(gateway),
    ...(range && { range: formatSubnet(range) }),
    ...(auxiliary.length > 0 && { auxiliary: Object.fromEntries(auxiliary) }),
  }
}

/** As Docker: the first address of the range, or of the subnet where there is none. */
function firstFree(subnet: Subnet, range: Subnet = subnet, taken: (number | undefined)[]): number {
  let address = contains(range, subnet.first) ? subnet.first + 1 : range.first
  while (taken.includes(address)) address++
  return address
}

function option(name: string, problem: string): Error {
  return fail('E_NETWORK_OPTION', { option: name, problem })
}
