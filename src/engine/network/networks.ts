/**
 * All networks of one engine, and the only door to them for the rest of it.
 *
 * Promises: what a call has made, it makes whole or not at all; what it has made survives the daemon, whose
 * end no container notices; at the next start everything of this engine in the kernel is known again, or taken
 * away. Names of all kernel objects hold the engine's id: several engines on one host don't meet.
 * It starts no program where libnftables is there. It knows networks and containers by id; what runs in a
 * container, and the API that asks, it does not know.
 */

import { NetlinkSocket } from '../kernel/netlink.ts'
import { getLink } from '../kernel/netlink-links.ts'
import { type Nft, openNft } from '../kernel/nft.ts'
import { bootId } from '../kernel/process.ts'
import { Attachments } from './attachments.ts'
import { setSysctl } from './bridge.ts'
import { BridgeNetworks, networkRules, readBip } from './bridge-networks.ts'
import { type ContainerFiles, containerFiles, hostNetworkFiles } from './container-files.ts'
import { endpointSettings, idleEndpointSettings, networkSettings } from './container-views.ts'
import type { Clock, HostDoors, Log, NetworkEvent } from './context.ts'
import { Resolver } from './dns/resolver.ts'
import { checkEndpointConfig, wantedEndpoints } from './endpoint-plan.ts'
import { tieLost } from './endpoint-ties.ts'
import { fail } from './errors.ts'
import { type Filters, isPredefined, matchesList, matchesPrune } from './filters.ts'
import { Firewall } from './firewall.ts'
import { HostResolver } from './host-resolver.ts'
import { addNetworkRules, addPortRules, hostBase } from './host-rules.ts'
import { namesOf } from './names.ts'
import { type LiveNetwork, NetworkTable } from './network-table.ts'
import { viewNetwork } from './network-views.ts'
import { type ApplyResult, Overlay } from './overlay/overlay.ts'
import type { SwarmState } from './overlay/state.ts'
import { type PortWishes, readPortWishes } from './ports.ts'
import type { FileWishes } from './records.ts'
import { applyChanges, emptyRuleset } from './ruleset.ts'
import type {
  EndpointConfig,
  EndpointSettings,
  NetworkCreateBody,
  NetworkInspect,
  NetworkSettings,
  NetworkSummary,
} from './shapes.ts'
import { NetworkStorage } from './storage.ts'
import { sweepDevices } from './sweep.ts'
import { settle } from './undo.ts'

export interface NetworksOptions {
  /** Eight hex digits, of the data root: in the names of all that the engine makes in the kernel. */
  engineId: string
  dataRoot: string
  log: Log
  clock: Clock
  emit: (event: NetworkEvent) => void
  /** "192.168.5.1/24": the host's address on the network `bridge`; Docker's default pools when left out. */
  bip?: string
  /** A descriptor of the namespace that is the host's; this process's own when left out. */
  hostNamespace?: number
  nft?: Nft
  /** The host's resolv.conf. */
  resolvConf?: string
}

/** A container's part of POST /containers/create that concerns networks. */
export interface ContainerRequest {
  id: string
  /** Without the API's slash. */
  name: string
  hostname: string
  /** HostConfig.NetworkMode; `container:` is followed by a full id. */
  networkMode: string
  /** NetworkingConfig.EndpointsConfig, by name or id of the network. */
  endpoints: Readonly<Record<string, EndpointConfig | null>>
  ports: PortWishes
  wishes: FileWishes
}

/** What a container's start needs. */
export interface ContainerNetwork {
  /**
   * The namespace to join; it stays ours, so let the child inherit a copy of the descriptor. "own": the runtime
   * makes an empty one. "host": none at all.
   */
  namespace: { kind: 'join'; fd: number } | { kind: 'own' } | { kind: 'host' }
  files: ContainerFiles
}

/** How often the rules are looked at; a look at unchanged ones costs 0.02 ms. */
const firewallCheckMs = 1000
/** How often everything is compared. */
const fullCheckMs = 30_000

export class Networks {
  readonly #doors: HostDoors
  readonly #options: NetworksOptions
  readonly #storage: NetworkStorage
  readonly #table = new NetworkTable()
  readonly #firewall: Firewall
  readonly #bridges: BridgeNetworks
  readonly #attachments: Attachments
  readonly #overlay: Overlay
  readonly #hostResolver: HostResolver
  readonly #cancelChecks = new Map<string, () => void>()
  #deviceRepairs = 0
  #isClosed = false

  private constructor(options: NetworksOptions, storage: NetworkStorage) {
    const { engineId, log, clock, hostNamespace: namespace, nft = openNft(), bip } = options
    const names = namesOf(engineId)
    const socket = NetlinkSocket.open({ namespace })
    const doors = { namespace, socket, nft, names, log, clock }
    const table = this.#table
    const firewall = new Firewall({ nft, log, namespace, ruleset: emptyRuleset(names.table, hostBase) })
    const hostResolver = new HostResolver(clock, options.resolvConf)
    this.#options = options
    this.#doors = doors
    this.#storage = storage
    this.#firewall = firewall
    this.#hostResolver = hostResolver
    this.#bridges = new BridgeNetworks({ doors, table, storage, firewall, bip })
    this.#attachments = new Attachments({
      ...{ doors, table, storage, firewall, hostResolver, emit: options.emit },
      bootId: bootId(),
      resolver: new Resolver({ namespace, log }),
      swarmNames: (id) => this.#overlay.namesOf(id),
      virtualAddresses: (id) => this.#overlay.virtualAddressesOf(id),
    })
    this.#overlay = new Overlay({
      ...{ engineId, doors, table, storage, firewall },
      onVirtualAddresses: () => this.#attachments.refreshVirtualAddresses(),
    })
  }

  /**
   * Brings back what there was: networks, their rules, addresses of containers that may still run. Then adopt
   * those that do, and call `finishAdoption`.
   * @throws SystemCallError, NftError, E_NO_SUBNET
   */
  static async open(options: NetworksOptions): Promise<Networks> {
    // Before anything is made that a refusal would leave behind.
    if (options.bip !== undefined) readBip(options.bip)
    const storage = new NetworkStorage(options.dataRoot, options.log)
    await storage.open()
    const networks = new Networks(options, storage)
    try {
      await networks.#restore()
      return networks
    } catch (error) {
      networks.close()
      throw error
    }
  }

  list(filters: Filters = {}): NetworkSummary[] {
    return this.#table
      .all()
      .filter(({ record, endpoints }) => matchesList(filters, record, endpoints.size > 0))
      .map((network) => viewNetwork(network, false))
  }

  /** @throws E_NETWORK_UNKNOWN, E_NETWORK_AMBIGUOUS */
  inspect(network: string): NetworkInspect {
    return viewNetwork(this.#table.find(network), true)
  }

  /** @throws E_NETWORK_OPTION, E_NETWORK_EXISTS, E_SUBNET_OVERLAP and others */
  async create(body: NetworkCreateBody): Promise<{ Id: string; Warning: string }> {
    const { network, warnings } = await this.#bridges.create(body)
    this.#emit('create', network)
    return { Id: network.record.id, Warning: warnings.join('; ') }
  }

  /** @throws E_NETWORK_UNKNOWN, E_NETWORK_PREDEFINED, E_NETWORK_OF_SWARM, E_NETWORK_IN_USE */
  remove(name: string): void {
    const network = this.#table.find(name)
    const { record, endpoints } = network
    if (isPredefined(record)) throw fail('E_NETWORK_PREDEFINED', { name: record.name, verb: 'rm' })
    if (record.scope === 'swarm') throw fail('E_NETWORK_OF_SWARM', { name: record.name, verb: 'removed' })
    if (endpoints.size > 0) {
      const containers = [...endpoints.values()].map(({ containerName }) => containerName)
      throw fail('E_NETWORK_IN_USE', { name: record.name, containers })
    }
    this.#bridges.remove(network)
    this.#emit('destroy', network)
  }

  /** Removes what nobody uses. @throws E_NETWORK_OPTION */
  prune(filters: Filters = {}): { NetworksDeleted: string[] } {
    const unused = this.#table
      .all()
      .filter(
        ({ record, endpoints }) => !isPredefined(record) && record.scope === 'local' && endpoints.size === 0,
      )
      .filter(({ record }) => matchesPrune(filters, record, this.#doors.clock.now()))
    for (const { record } of unused) this.remove(record.id)
    return { NetworksDeleted: unused.map(({ record }) => record.name) }
  }

  /**
   * Checks, when a container is created, what its start will ask for.
   * @throws E_NETWORK_UNKNOWN, E_NETWORK_MODE, E_ADDRESS_INVALID, E_PORT_INVALID
   */
  checkContainer({
    networkMode,
    endpoints,
    ports,
  }: Omit<ContainerRequest, 'id' | 'name' | 'hostname'>): void {
    readPortWishes(ports)
    wantedEndpoints(this.#table, networkMode, endpoints)
  }

  /**
   * Makes a container's network, for its start.
   * @throws E_ADDRESS_TAKEN, E_NO_ADDRESS, E_PORT_TAKEN and others; then nothing is left of it
   */
  attachContainer(request: ContainerRequest): ContainerNetwork {
    const { id, name, hostname, networkMode, wishes } = request
    const endpoints = wantedEndpoints(this.#table, networkMode, request.endpoints)
    if (networkMode === 'host') {
      const files = hostNetworkFiles(this.#hostResolver, wishes, this.#hostGateway())
      return { namespace: { kind: 'host' }, files }
    }
    if (endpoints.length === 0) return this.#withoutEndpoints(request)
    this.#mendBridges(endpoints.map(({ network }) => network))
    const ports = readPortWishes(request.ports, endpoints[0]?.network.options.hostBinding)
    const { namespace } = this.#attachments.attach({ id, name, hostname, endpoints, ports, wishes })
    return { namespace: { kind: 'join', fd: namespace }, files: this.containerFiles(id) }
  }

  /** Takes a container's network away; one that has none is fine. */
  detachContainer(id: string): void {
    this.#attachments.detach(id)
  }

  /**
   * Takes over a container that runs since before this daemon's start.
   * @param pid of its first process
   * @returns false where nothing is known of its network
   */
  adoptContainer(id: string, pid: number): boolean {
    return this.#attachments.adopt(id, pid)
  }

  /** All that still run have been adopted: what the others had is free, and devices that nothing uses go. */
  finishAdoption(): void {
    this.#attachments.dropExpected()
    this.#tieLost()
    const bridges = this.#table.all().map(({ record }) => record.bridge)
    const wanted = [...bridges, ...this.#attachments.knownDevices(), ...this.#overlay.knownDevices()]
    sweepDevices(this.#doors, new Set(wanted))
  }

  /**
   * Adds a running container to a network. Its files change: see `containerFiles`.
   * @throws E_NETWORK_UNKNOWN, E_ENDPOINT_EXISTS and others
   */
  connectContainer(id: string, name: string, config: EndpointConfig = {}): void {
    const network = this.#table.find(name)
    checkEndpointConfig(network, config)
    this.#mendBridges([network])
    this.#attachments.connect(id, { network, config })
  }

  /** @throws E_NETWORK_UNKNOWN, E_ENDPOINT_UNKNOWN */
  disconnectContainer(id: string, name: string): void {
    this.#attachments.disconnect(id, this.#table.find(name))
  }

  renameContainer(id: string, name: string): void {
    this.#attachments.rename(id, name)
  }

  /** A descriptor of a running container's namespace, which stays ours; undefined where it has none of ours. */
  namespaceOf(id: string): number | undefined {
    return this.#attachments.get(id)?.namespace
  }

  /** The content of a running container's files as it should be now. @throws E_ENDPOINT_UNKNOWN */
  containerFiles(id: string): ContainerFiles {
    const live = this.#attachments.get(id)
    if (!live) throw fail('E_ENDPOINT_UNKNOWN', { container: id, network: 'any' })
    const { hostname, endpoints, wishes } = live.record
    return containerFiles(this.#hostResolver, {
      hostname,
      endpoints,
      wishes,
      hostGateway: this.#hostGateway(),
    })
  }

  /** NetworkSettings of a container's inspect, running or not. */
  containerSettings(
    request: Pick<ContainerRequest, 'id' | 'networkMode' | 'endpoints' | 'ports'>,
  ): NetworkSettings {
    const live = this.#attachments.get(request.id)
    const networks: Record<string, EndpointSettings> = {}
    if (live) {
      for (const endpoint of live.record.endpoints)
        networks[endpoint.networkName] = endpointSettings(endpoint)
    } else {
      const { networkMode } = request
      const names = Object.keys(request.endpoints)
      if (names.length === 0 && !networkMode.startsWith('container:')) names.push(networkMode)
      for (const name of names) {
        const record = this.#table
          .all()
          .find((one) => one.record.name === name || one.record.id === name)?.record
        const key = record?.name ?? (name === 'default' || name === '' ? 'bridge' : name)
        networks[key] = idleEndpointSettings(record?.id ?? '', request.endpoints[name] ?? {})
      }
    }
    return networkSettings(live?.record, networks, request.ports.exposed ?? {})
  }

  /**
   * Makes the host's part of the swarm's networks what the state says: networks that are not in it go, those in
   * it are usable when this returns. The same state again changes nothing.
   * @throws SystemCallError, NftError; the next call begins with what the kernel has
   */
  apply(state: SwarmState): ApplyResult {
    return this.#overlay.apply(state)
  }

  /** Compares everything with what it should be, at once. */
  checkNow(): void {
    settle(this.#doors.log, [() => this.#firewall.check(), () => this.#checkAll()])
  }

  /** How often the kernel was found to be other than it should be, and mended. */
  get repairs(): { firewall: number; devices: number } {
    return { firewall: this.#firewall.repairs, devices: this.#deviceRepairs }
  }

  /** Leaves everything in the kernel as it is, for the next daemon. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const cancel of this.#cancelChecks.values()) cancel()
    this.#cancelChecks.clear()
    this.#overlay.close()
    this.#attachments.close()
    this.#firewall.close()
    this.#doors.socket.close()
  }

  async #restore(): Promise<void> {
    // Containers are behind this host: it passes packets on.
    setSysctl(this.#doors, 'net/ipv4/ip_forward', '1')
    for (const record of this.#storage.loadNetworks()) this.#bridges.restore(record)
    this.#overlay.restore()
    const thisBoot = bootId()
    for (const record of this.#storage.loadContainers()) {
      if (record.bootId === thisBoot) this.#attachments.expect(record)
      else this.#storage.deleteContainer(record.id)
    }
    const { ruleset } = this.#firewall
    for (const network of this.#table.all()) {
      if (network.record.driver === 'bridge') applyChanges(ruleset, addNetworkRules(networkRules(network)))
    }
    for (const { ports } of this.#attachments.expected()) applyChanges(ruleset, addPortRules(ports))
    this.#firewall.replace()
    await this.#bridges.ensurePredefined()
    this.#repeat('firewall', firewallCheckMs, () => this.#firewall.check())
    this.#repeat('all', fullCheckMs, () => this.#checkAll())
  }

  #checkAll(): void {
    this.#deviceRepairs += this.#bridges.check() + this.#overlay.check()
    this.#tieLost()
    for (const { services } of this.#attachments.all()) {
      if (services?.check()) this.#deviceRepairs++
    }
  }

  #tieLost(): void {
    const running = this.#attachments.all().map(({ record }) => record)
    this.#deviceRepairs += tieLost(this.#doors, this.#table, running)
  }

  /** A container can't be tied to a bridge that somebody has removed, and does not wait for the next check. */
  #mendBridges(networks: readonly LiveNetwork[]): void {
    const isLost = ({ bridge }: LiveNetwork) =>
      bridge !== 0 && getLink(this.#doors.socket, bridge) === undefined
    if (networks.some(isLost)) settle(this.#doors.log, [() => this.#checkAll()])
  }

  #repeat(name: string, everyMs: number, check: () => void): void {
    const { clock, log } = this.#doors
    const run = () => {
      settle(log, [check])
      this.#cancelChecks.set(name, clock.after(everyMs, run))
    }
    this.#cancelChecks.set(name, clock.after(everyMs, run))
  }

  #withoutEndpoints({ hostname, networkMode, wishes }: ContainerRequest): ContainerNetwork {
    const hostGateway = this.#hostGateway()
    const files = containerFiles(this.#hostResolver, { hostname, endpoints: [], wishes, hostGateway })
    if (!networkMode.startsWith('container:')) return { namespace: { kind: 'own' }, files }
    const other = networkMode.slice('container:'.length)
    const fd = this.namespaceOf(other)
    if (fd === undefined)
      throw fail('E_NETWORK_MODE', { problem: `container ${other} has no network to share` })
    return { namespace: { kind: 'join', fd }, files: this.containerFiles(other) }
  }

  #hostGateway(): string {
    return this.#table.find('bridge').record.ipam.gateway
  }

  #emit(action: NetworkEvent['action'], { record }: LiveNetwork): void {
    const attributes = { name: record.name, type: record.driver }
    this.#options.emit({ type: 'network', action, id: record.id, attributes })
  }
}
