/** Bridge networks as they are made, found again at a start, and removed: record, device and rules together. */

import { newHexId } from '../../shared/ids.ts'
import { deleteLink, getLink, type Link } from '../kernel/netlink-links.ts'
import { type BridgePlan, ensureBridge } from './bridge.ts'
import type { HostDoors } from './context.ts'
import { type CreateRequest, readCreateBody } from './create-body.ts'
import { fail } from './errors.ts'
import type { Firewall } from './firewall.ts'
import { addNetworkRules, type NetworkRules, removeNetworkRules } from './host-rules.ts'
import { subnetsOfHost } from './host-subnets.ts'
import { formatIpv4, formatSubnet, overlaps, parseCidr, parseSubnet, type Subnet } from './ipv4.ts'
import { macFromText } from './names.ts'
import type { LiveNetwork, NetworkTable } from './network-table.ts'
import { defaultBridgeOptions } from './network-views.ts'
import { bridgeOptionsOf, optionNames } from './options.ts'
import { chooseSubnet } from './pools.ts'
import { type NetworkRecord, recordVersion } from './records.ts'
import type { NetworkCreateBody } from './shapes.ts'
import type { NetworkStorage } from './storage.ts'

export interface BridgeNetworksOptions {
  doors: HostDoors
  table: NetworkTable
  storage: NetworkStorage
  firewall: Firewall
  /** "192.168.5.1/24": address and subnet of the network `bridge`. */
  bip?: string
}

/** Two engines may choose the same subnet at the same moment; each round one of them keeps it. */
const rounds = 30

export class BridgeNetworks {
  readonly #options: BridgeNetworksOptions

  constructor(options: BridgeNetworksOptions) {
    this.#options = options
  }

  /** Brings back a network of which there is a record. @throws SystemCallError */
  restore(record: NetworkRecord): LiveNetwork {
    const network = this.#options.table.add(record)
    if (record.driver === 'bridge')
      network.bridge = ensureBridge(this.#options.doors, bridgePlan(network)).index
    return network
  }

  /** Makes the networks that are always there, where they are missing. */
  async ensurePredefined(): Promise<void> {
    const { table } = this.#options
    for (const [name, driver] of [
      ['host', 'host'],
      ['none', 'null'],
    ] as const) {
      if (!table.hasName(name)) await this.#save(this.#newRecord({ name, driver, bridge: '' }))
    }
    const known = table.all().find(({ record }) => record.name === 'bridge')
    if (known && !this.#wantsOtherBip(known)) return
    if (known) this.#drop(known)
    await this.#createDefaultBridge()
  }

  /** @throws E_NETWORK_OPTION and others; then nothing is left of it */
  async create(body: NetworkCreateBody): Promise<{ network: LiveNetwork; warnings: string[] }> {
    const { table, doors } = this.#options
    if (table.hasName(body.Name)) throw fail('E_NETWORK_EXISTS', { name: body.Name })
    const isChosen = !body.IPAM?.Config?.some((config) => config.Subnet && !config.Subnet.includes(':'))
    const avoided: Subnet[] = []
    for (let round = 0; ; round++) {
      const request = readCreateBody(body, table.subnets(), [...this.#foreignSubnets(), ...avoided])
      const record = this.#recordOf(request)
      const network = table.add(record)
      try {
        await this.#options.storage.saveNetwork(record)
        this.#raise(network)
        if (!isChosen || round === rounds || !this.#hasRival(network))
          return { network, warnings: request.warnings }
        doors.log.info(
          { subnet: record.ipam.subnet },
          'another engine has the same subnet: choosing the next',
        )
        this.#drop(network)
        avoided.push(network.subnet!)
      } catch (error) {
        this.#drop(network)
        throw error
      }
    }
  }

  /** Takes device, rules and record away. */
  remove(network: LiveNetwork): void {
    this.#drop(network)
  }

  /** Compares the devices with what they should be. @returns how many had to be mended */
  check(): number {
    const { table, doors } = this.#options
    let repairs = 0
    for (const network of table.all()) {
      if (network.record.driver !== 'bridge') continue
      const { index, changed } = ensureBridge(doors, bridgePlan(network))
      network.bridge = index
      if (changed === 0) continue
      repairs++
      doors.log.warn(
        { network: network.record.name },
        "mended a network's bridge: it was not what it should be",
      )
    }
    return repairs
  }

  #raise(network: LiveNetwork): void {
    const { doors, firewall } = this.#options
    network.bridge = ensureBridge(doors, bridgePlan(network)).index
    firewall.change(addNetworkRules(networkRules(network)))
  }

  /** Whatever there is of the network, in the order in which a crash leaves the record to the last. */
  #drop(network: LiveNetwork): void {
    const { doors, firewall, storage, table } = this.#options
    const { record } = network
    const rules = removeNetworkRules(networkRules(network)).filter(
      (change) => change.kind === 'remove' && firewall.ruleset.sets.get(change.set)?.has(change.element),
    )
    firewall.change(rules)
    if (!record.keepBridge && record.bridge) doors.socket.execute([deleteLink(record.bridge)])
    storage.deleteNetwork(record.id)
    table.delete(record.id)
  }

  async #createDefaultBridge(): Promise<void> {
    const { doors, table, bip } = this.#options
    const bridge = doors.names.defaultBridge
    const avoided: Subnet[] = []
    for (let round = 0; ; round++) {
      const record = this.#newRecord({ name: 'bridge', driver: 'bridge', bridge })
      record.options = defaultBridgeOptions(bridge)
      Object.assign(record.ipam, this.#defaultBridgeIpam(avoided))
      const network = table.add(record)
      await this.#options.storage.saveNetwork(record)
      this.#raise(network)
      if (bip || round === rounds || !this.#hasRival(network)) return
      this.#drop(network)
      avoided.push(network.subnet!)
    }
  }

  /** @throws E_NETWORK_OPTION, E_NO_SUBNET */
  #defaultBridgeIpam(avoided: readonly Subnet[]): { subnet: string; gateway: string } {
    const { bip, table } = this.#options
    if (bip !== undefined) {
      const cidr = readBip(bip)
      return { subnet: formatSubnet(cidr.subnet), gateway: formatIpv4(cidr.address) }
    }
    const taken = [...table.subnets().map(({ subnet }) => subnet), ...this.#foreignSubnets(), ...avoided]
    const subnet = chooseSubnet(taken)
    if (!subnet) throw fail('E_NO_SUBNET', {})
    return { subnet: formatSubnet(subnet), gateway: formatIpv4(subnet.first + 1) }
  }

  #wantsOtherBip({ record, endpoints }: LiveNetwork): boolean {
    const { bip } = this.#options
    if (bip === undefined || endpoints.size > 0) return false
    const { subnet, gateway } = record.ipam
    return `${gateway}/${subnet.split('/')[1]}` !== bip
  }

  /** What the host routes elsewhere than to our own bridges. */
  #foreignSubnets(): Subnet[] {
    const { table, doors } = this.#options
    const own = new Set(table.all().map(({ bridge }) => bridge))
    return subnetsOfHost(doors.socket)
      .filter(({ link }) => !own.has(link))
      .map(({ subnet }) => subnet)
  }

  /** Whether a device older than ours has an overlapping subnet: the younger one gives way. */
  #hasRival({ bridge, subnet }: LiveNetwork): boolean {
    const others = subnetsOfHost(this.#options.doors.socket)
    return others.some(
      (other) => other.link !== bridge && other.link < bridge && overlaps(other.subnet, subnet!),
    )
  }

  async #save(record: NetworkRecord): Promise<void> {
    this.#options.table.add(record)
    await this.#options.storage.saveNetwork(record)
  }

  #recordOf({ name, internal, attachable, options, labels, ipam }: CreateRequest): NetworkRecord {
    const { names, socket } = this.#options.doors
    const record = this.#newRecord({ name, driver: 'bridge', bridge: '' })
    const wanted = bridgeOptionsOf(options).name
    const there = wanted === undefined ? undefined : getLink(socket, wanted)
    if (wanted !== undefined) this.#checkDevice(wanted, there)
    const isTaken = (device: string) => getLink(socket, device) !== undefined
    const bridge = wanted ?? names.bridge(record.id, isTaken)
    return {
      ...record,
      ...{ internal, attachable, options, labels, ipam, bridge },
      ...(there && { keepBridge: true }),
    }
  }

  /** @throws E_NETWORK_OPTION where a device of that name can't be the network's */
  #checkDevice(name: string, there: Link | undefined): void {
    const other = this.#options.table.all().find(({ record }) => record.bridge === name)
    const problem = other
      ? `${name} is the bridge of network ${other.record.name}`
      : there && there.kind !== 'bridge'
        ? `${name} is there and no bridge`
        : undefined
    if (problem) throw fail('E_NETWORK_OPTION', { option: optionNames.name, problem })
  }

  #newRecord({ name, driver, bridge }: Pick<NetworkRecord, 'name' | 'driver' | 'bridge'>): NetworkRecord {
    return {
      version: recordVersion,
      id: newHexId(),
      name,
      driver,
      bridge,
      scope: 'local',
      created: new Date(this.#options.doors.clock.now()).toISOString(),
      internal: false,
      attachable: false,
      ingress: false,
      options: {},
      labels: {},
      ipam: { driver: 'default', options: {}, subnet: '', gateway: '' },
    }
  }
}

function bridgePlan({ record, options }: LiveNetwork): BridgePlan {
  const { gateway, subnet } = record.ipam
  return {
    name: record.bridge,
    mac: macFromText(record.id),
    mtu: options.mtu,
    addresses: [`${gateway}/${parseSubnet(subnet)!.prefixLength}`],
    isShared: record.keepBridge,
  }
}

/** What the host's table has of a network. */
export function networkRules({ record, options }: LiveNetwork): NetworkRules {
  return {
    bridge: record.bridge,
    subnet: record.ipam.subnet,
    masquerade: options.masquerade,
    internal: record.internal,
  }
}

/** The default bridge's address as the user wants it. @throws E_NETWORK_OPTION */
export function readBip(bip: string): NonNullable<ReturnType<typeof parseCidr>> {
  const cidr = parseCidr(bip)
  if (!cidr || cidr.subnet.prefixLength > 30 || cidr.address === cidr.subnet.first) {
    throw fail('E_NETWORK_OPTION', {
      option: '--bip',
      problem: `${bip} is no address such as 192.168.5.1/24`,
    })
  }
  return cidr
}
