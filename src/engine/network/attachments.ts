/**
 * The containers that have a network: from the request at a start to the last trace at a stop, and over a
 * restart of the daemon in between. Each has a record on the disk before anything of it is in the kernel, so
 * that whatever a crash leaves is found again, and its address is nobody else's meanwhile.
 */
import { isFailure, messageOf } from '../../shared/errors.ts'
import { getLink } from '../kernel/netlink-links.ts'
import { closeNamespace, createNamespace, openNamespaceOf } from '../kernel/netns.ts'
import type { VirtualAddress } from './container-rules.ts'
import { ContainerServices } from './container-services.ts'
import type { HostDoors, NetworkEvent } from './context.ts'
import type { Resolver } from './dns/resolver.ts'
import { type ZoneSource, zoneOf } from './dns/zone.ts'
import { cutEndpoint, deleteEndpointDevice, hasEndpoint, makeEndpoints } from './endpoint-devices.ts'
import { type Attachee, gatewayEndpoint, planEndpoint, type WantedEndpoint } from './endpoint-plan.ts'
import { placeOn } from './endpoint-ties.ts'
import { fail } from './errors.ts'
import type { Firewall } from './firewall.ts'
import type { HostResolver } from './host-resolver.ts'
import { addPortRules, type PublishedPort, removePortRules } from './host-rules.ts'
import { LingeringDevices } from './lingering-devices.ts'
import { joinNetwork, type LiveNetwork, leaveNetwork } from './network-table.ts'
import { type HeldPort, holdPorts, publishedPorts, releasePorts } from './ports.ts'
import {
  type ContainerRecord,
  type EndpointRecord,
  type FileWishes,
  type PortRequest,
  recordVersion,
} from './records.ts'
import type { NetworkStorage } from './storage.ts'
import { settle, undoing } from './undo.ts'

export interface AttachmentsOptions extends ZoneSource {
  doors: HostDoors
  storage: NetworkStorage
  /** The host's table. */
  firewall: Firewall
  resolver: Resolver
  hostResolver: HostResolver
  bootId: string
  emit: (event: NetworkEvent) => void
  /** Of the swarm's services on a network. */
  virtualAddresses: (networkId: string) => readonly VirtualAddress[]
}

export interface Attachment extends Attachee {
  endpoints: readonly WantedEndpoint[]
  ports: readonly PortRequest[]
  wishes: FileWishes
}

/** A container that runs, or is about to. */
export interface LiveContainer {
  record: ContainerRecord
  /** A descriptor of its network namespace. */
  namespace: number
  /** One for each port request; empty while it is on no network that can publish. */
  held: HeldPort[]
  services?: ContainerServices
}

export class Attachments {
  readonly #options: AttachmentsOptions
  readonly #live = new Map<string, LiveContainer>()
  /** Of an earlier daemon, not adopted yet. */
  readonly #pending = new Map<string, ContainerRecord>()
  readonly #lingering: LingeringDevices

  constructor(options: AttachmentsOptions) {
    this.#options = options
    this.#lingering = new LingeringDevices(options.doors)
  }

  get(id: string): LiveContainer | undefined {
    return this.#live.get(id)
  }

  all(): LiveContainer[] {
    return [...this.#live.values()]
  }

  /** A container's record from before the daemon's start: its addresses are taken, its ports in the table. */
  expect(record: ContainerRecord): void {
    this.#pending.set(record.id, record)
    for (const endpoint of record.endpoints) {
      const network = this.#options.table.get(endpoint.networkId)
      if (network) joinNetwork(network, record.id, record.name, endpoint)
    }
  }

  /** Containers of an earlier daemon that nobody has adopted yet. */
  expected(): ContainerRecord[] {
    return [...this.#pending.values()]
  }

  /**
   * Makes a container's namespace with everything in it.
   * @throws E_ADDRESS_TAKEN, E_NO_ADDRESS, E_PORT_TAKEN and others; then nothing is left of it
   */
  attach({ id, name, hostname, endpoints: wanted, ports: portRequests, wishes }: Attachment): LiveContainer {
    const { doors, storage, bootId, firewall } = this.#options
    if (this.#live.has(id)) this.detach(id)
    const stale = this.#pending.get(id)
    if (stale) this.#forget(stale)
    return undoing(doors.log, (onFailure) => {
      const endpoints: EndpointRecord[] = []
      for (const one of wanted) {
        endpoints.push(this.#join(one, { id, name, hostname }, endpoints))
        onFailure(() => leaveNetwork(one.network, id))
      }
      const gateway = this.#gatewayOf(endpoints)
      const held = gateway ? holdPorts(portRequests, name, doors.namespace) : []
      onFailure(() => releasePorts(held))
      const ports = gateway ? publishedPorts(portRequests, held, gateway.address) : []
      const record: ContainerRecord = {
        ...{ version: recordVersion, bootId, id, name, hostname },
        ...{ endpoints, portRequests: [...portRequests], ports, wishes },
      }
      storage.saveContainer(record)
      onFailure(() => storage.deleteContainer(id))
      const namespace = createNamespace()
      onFailure(() => closeNamespace(namespace))
      for (const { device } of endpoints) onFailure(() => deleteEndpointDevice(doors, device))
      const plans = endpoints.map((endpoint, i) => ({
        endpoint,
        place: placeOn(wanted[i]!.network, portRequests),
      }))
      makeEndpoints(doors, namespace, plans, gateway?.gateway)
      const live: LiveContainer = { record, namespace, held }
      this.#openServices(live)
      onFailure(() => live.services?.close())
      firewall.change(addPortRules(ports))
      this.#live.set(id, live)
      for (const endpoint of endpoints) this.#emit('connect', id, endpoint)
      return live
    })
  }

  /** Takes a container's network away. One that has none is fine. */
  detach(id: string): void {
    const live = this.#live.get(id)
    if (!live) {
      const pending = this.#pending.get(id)
      if (pending) this.#forget(pending)
      return
    }
    this.#live.delete(id)
    const { doors, firewall } = this.#options
    settle(doors.log, [
      () => firewall.change(removePortRules(live.record.ports)),
      () => releasePorts(live.held),
      () => live.services?.close(),
      () => closeNamespace(live.namespace),
      () => this.#forget(live.record),
    ])
    for (const endpoint of live.record.endpoints) this.#emit('disconnect', id, endpoint)
  }

  /**
   * Takes over a container that runs since before the daemon's start.
   * @param pid of any process in it
   * @returns false where nothing is known of it, or its network is not what it was: then it has none
   */
  adopt(id: string, pid: number): boolean {
    const record = this.#pending.get(id)
    if (!record) return false
    const { doors } = this.#options
    try {
      return undoing(doors.log, (onFailure) => {
        const namespace = openNamespaceOf(pid)
        onFailure(() => closeNamespace(namespace))
        const missing = record.endpoints.find((endpoint) => !hasEndpoint(namespace, endpoint))
        if (missing) throw new Error(`its device ${missing.interface} is gone`)
        const live: LiveContainer = { record, namespace, held: this.#holdAgain(record) }
        onFailure(() => releasePorts(live.held))
        this.#openServices(live)
        this.#pending.delete(id)
        this.#live.set(id, live)
        return true
      })
    } catch (error) {
      doors.log.error(
        { container: id, reason: messageOf(error) },
        "a container's network can't be taken over",
      )
      return false
    }
  }

  /** Containers that were not adopted do not run any more: what they had is free. */
  dropExpected(): void {
    const { firewall, doors } = this.#options
    for (const record of this.#pending.values()) {
      settle(doors.log, [() => firewall.change(removePortRules(record.ports)), () => this.#forget(record)])
    }
  }

  /** Adds a running container to a network. @throws E_ENDPOINT_EXISTS and as `attach` */
  connect(id: string, wanted: WantedEndpoint): void {
    const live = this.#need(id, wanted.network)
    const { doors, storage } = this.#options
    const { record, namespace } = live
    undoing(doors.log, (onFailure) => {
      const endpoint = this.#join(wanted, record, record.endpoints)
      onFailure(() => leaveNetwork(wanted.network, id))
      const before = record.endpoints
      record.endpoints = [...before, endpoint]
      onFailure(() => {
        record.endpoints = before
        storage.saveContainer(record)
      })
      storage.saveContainer(record)
      onFailure(() => deleteEndpointDevice(doors, endpoint.device))
      const gateway = this.#gatewayOf(record.endpoints)
      makeEndpoints(
        doors,
        namespace,
        [{ endpoint, place: placeOn(wanted.network, record.portRequests) }],
        gateway?.gateway,
      )
      onFailure(() => this.#movePorts(live, this.#gatewayOf(before)))
      this.#movePorts(live, gateway)
      if (!live.services) this.#openServices(live)
      else live.services.setVirtualAddresses(this.#virtualAddressesOf(record))
      this.#emit('connect', id, endpoint)
    })
  }

  /** Takes a running container off a network. @throws E_ENDPOINT_UNKNOWN */
  disconnect(id: string, network: LiveNetwork): void {
    const live = this.#need(id, network)
    const { doors, storage } = this.#options
    const { record, namespace } = live
    const endpoint = record.endpoints.find(({ networkId }) => networkId === network.record.id)
    if (!endpoint) throw fail('E_ENDPOINT_UNKNOWN', { container: record.name, network: network.record.name })
    const left = record.endpoints.filter((one) => one !== endpoint)
    const gateway = this.#gatewayOf(left)
    this.#movePorts(live, gateway)
    deleteEndpointDevice(doors, endpoint.device)
    // Only now: until its device is gone the endpoint is there, and can be taken off by the next try.
    record.endpoints = left
    leaveNetwork(network, id)
    storage.saveContainer(record)
    makeEndpoints(doors, namespace, [], gateway?.gateway)
    live.services?.setVirtualAddresses(this.#virtualAddressesOf(record))
    this.#emit('disconnect', id, endpoint)
  }

  /** The resolver knows the container by its new name from now on. */
  rename(id: string, name: string): void {
    const live = this.#live.get(id)
    if (!live) return
    const { record } = live
    for (const endpoint of record.endpoints) {
      const network = this.#options.table.get(endpoint.networkId)
      if (!network) continue
      leaveNetwork(network, id)
      endpoint.dnsNames = endpoint.dnsNames.map((one) => (one === record.name ? name : one))
      joinNetwork(network, id, name, endpoint)
    }
    record.name = name
    this.#options.storage.saveContainer(record)
  }

  /** Gives every container the services' virtual addresses as they are now. */
  refreshVirtualAddresses(): void {
    for (const live of this.#live.values()) {
      const { services, record } = live
      if (!services) continue
      settle(this.#options.doors.log, [() => services.setVirtualAddresses(this.#virtualAddressesOf(record))])
    }
  }

  /** Devices of ours that have a purpose, or soon have none without our help. */
  knownDevices(): Set<string> {
    const records = [...this.#pending.values(), ...this.all().map(({ record }) => record)]
    const devices = records.flatMap(({ endpoints }) => endpoints.map(({ device }) => device))
    return new Set([...devices, ...this.#lingering.names()])
  }

  /** Leaves containers running, for the next daemon. */
  close(): void {
    for (const { services, held, namespace } of this.#live.values()) {
      settle(this.#options.doors.log, [
        () => services?.close(),
        () => releasePorts(held),
        () => closeNamespace(namespace),
      ])
    }
    this.#live.clear()
    this.#lingering.close()
  }

  #need(id: string, { record }: LiveNetwork): LiveContainer {
    const live = this.#live.get(id)
    if (!live) throw fail('E_ENDPOINT_UNKNOWN', { container: id, network: record.name })
    return live
  }

  #join(wanted: WantedEndpoint, who: Attachee, others: readonly EndpointRecord[]): EndpointRecord {
    const { names, socket } = this.#options.doors
    const endpoint = planEndpoint(wanted, who, {
      names,
      isDeviceTaken: (device) => getLink(socket, device) !== undefined,
      interfaces: others.map((other) => other.interface),
    })
    joinNetwork(wanted.network, who.id, who.name, endpoint)
    return endpoint
  }

  #gatewayOf(endpoints: readonly EndpointRecord[]): EndpointRecord | undefined {
    return gatewayEndpoint(endpoints, (id) => this.#options.table.get(id)?.record.ingress ?? false)
  }

  /** A container that is on the network `bridge` alone has the host's resolver and no services. */
  #openServices(live: LiveContainer): void {
    const { doors, resolver, hostResolver } = this.#options
    const { record, namespace } = live
    if (record.endpoints.every(({ dnsNames }) => dnsNames.length === 0)) return
    live.services = new ContainerServices(doors, resolver, {
      id: record.id,
      namespace,
      zone: zoneOf(this.#options, () => record.endpoints),
      servers: () => record.wishes.dns?.servers ?? hostResolver.settings().servers,
      virtualAddresses: this.#virtualAddressesOf(record),
    })
  }

  #virtualAddressesOf({ endpoints }: ContainerRecord): VirtualAddress[] {
    return endpoints.flatMap(({ networkId }) => this.#options.virtualAddresses(networkId))
  }

  /** Published ports lead to the endpoint that has the default route. */
  #movePorts(live: LiveContainer, gateway: EndpointRecord | undefined): void {
    const { record } = live
    const { doors, firewall, storage } = this.#options
    if (gateway && live.held.length === 0)
      live.held = holdPorts(record.portRequests, record.name, doors.namespace)
    const ports = gateway ? publishedPorts(record.portRequests, live.held, gateway.address) : []
    if (samePorts(ports, record.ports)) return
    firewall.change([...removePortRules(record.ports), ...addPortRules(ports)])
    record.ports = ports
    storage.saveContainer(record)
  }

  /** While the daemon was away another program may have taken a port; the rules still lead to the container. */
  #holdAgain(record: ContainerRecord): HeldPort[] {
    const { doors } = this.#options
    return record.ports.map(({ hostAddress, hostPort }, i) => {
      const request = { ...record.portRequests[i]!, firstHostPort: hostPort, lastHostPort: hostPort }
      try {
        return holdPorts([request], record.name, doors.namespace)[0]!
      } catch (error) {
        if (!isFailure(error)) throw error
        doors.log.warn(
          { container: record.id, reason: messageOf(error) },
          'a published port was taken meanwhile',
        )
        return { hostAddress, hostPort }
      }
    })
  }

  /** Everything of a record but what only a live container has. */
  #forget(record: ContainerRecord): void {
    const { doors, storage, table } = this.#options
    this.#pending.delete(record.id)
    settle(
      doors.log,
      record.endpoints.map((endpoint) => () => cutEndpoint(doors, endpoint)),
    )
    for (const { networkId, device } of record.endpoints) {
      const network = table.get(networkId)
      if (network) leaveNetwork(network, record.id)
      this.#lingering.add(device)
    }
    storage.deleteContainer(record.id)
  }

  #emit(action: NetworkEvent['action'], container: string, { networkId, networkName }: EndpointRecord): void {
    const type = this.#options.table.get(networkId)?.record.driver ?? 'bridge'
    this.#options.emit({
      type: 'network',
      action,
      id: networkId,
      attributes: { container, name: networkName, type },
    })
  }
}

function samePorts(a: readonly PublishedPort[], b: readonly PublishedPort[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
