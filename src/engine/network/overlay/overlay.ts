/**
 * Keeps the host's part of the swarm's networks equal to what the swarm says. The state is whole each time; what
 * is done is the difference. What comes is reachable before any rule leads to it, and no rule leads any more to
 * what goes when it goes.
 */
import { messageOf } from '../../../shared/errors.ts'
import { getLink } from '../../kernel/netlink-links.ts'
import type { NetlinkRequest } from '../../kernel/netlink-wire.ts'
import type { VirtualAddress } from '../container-rules.ts'
import type { HostDoors } from '../context.ts'
import type { SwarmNames } from '../dns/zone.ts'
import type { Firewall } from '../firewall.ts'
import { swarmRules } from '../host-rules.ts'
import type { NetworkTable } from '../network-table.ts'
import { applyChanges, changesBetween, type Ruleset } from '../ruleset.ts'
import type { NetworkStorage } from '../storage.ts'
import {
  defaultOverlayMtu,
  ensureOverlay,
  entryRequests,
  type OverlayDevices,
  type OverlayPlan,
  observeEntries,
  removeOverlay,
} from './devices.ts'
import { IngressPorts } from './ingress-ports.ts'
import { indexNames } from './names.ts'
import {
  describeStep,
  entriesOf,
  faultOf,
  type KnownNetwork,
  type OverlayStep,
  planEntries,
  planOverlay,
} from './plan.ts'
import { overlayNetworkRules, overlayPlan, overlayRecord } from './records.ts'
import { emptyState, type SwarmNetwork, type SwarmState } from './state.ts'

export interface OverlayOptions {
  engineId: string
  doors: HostDoors
  table: NetworkTable
  storage: NetworkStorage
  firewall: Firewall
  /** Virtual addresses may have changed: containers must get them. */
  onVirtualAddresses: () => void
}

export interface ApplyResult {
  /** How many steps and changes of rules it took. */
  changes: number
  /** What could not be done though the rest was, one sentence each: a port that a program of the host has. */
  problems: string[]
  /** Ids of networks that could not be made: nothing can be attached to them. */
  missing: string[]
}

/** A network of the swarm that is on this host. */
interface Made {
  network: SwarmNetwork
  plan: OverlayPlan
  devices: OverlayDevices
  names: SwarmNames
}

type Rules = Pick<Ruleset, 'sets' | 'chains'>
const noRules: Rules = { sets: new Map(), chains: new Map() }

/** The state is written this long after it has come, so that a storm of changes costs few writes. */
const saveDelayMs = 200

export class Overlay {
  readonly #options: OverlayOptions
  readonly #ports: IngressPorts
  readonly #made = new Map<string, Made>()
  #state: SwarmState = emptyState
  /** Our part of the host's table. */
  #rules: Rules = noRules
  /** The kernel may have other entries than we know: an apply has failed, or the daemon is new. */
  #isUnsure = true
  #cancelSave: (() => void) | undefined

  constructor(options: OverlayOptions) {
    this.#options = options
    this.#ports = new IngressPorts(options.doors)
  }

  /** The revision that was applied last. */
  get revision(): number {
    return this.#state.revision
  }

  /** What a daemon before this one has applied: its devices, and its part of the table's data. */
  restore(): void {
    const { storage, firewall, doors } = this.#options
    const state = storage.loadState()
    if (state === undefined) return
    const problems: string[] = []
    this.#execute(
      overlaysOf(state).map((network) => ({ kind: 'makeNetwork', network })),
      problems,
    )
    this.#rules = this.#rulesOf(state, problems)
    applyChanges(firewall.ruleset, changesBetween(noRules, this.#rules))
    this.#remember(state)
    for (const problem of problems) doors.log.warn({ problem }, 'a part of the swarm network is missing')
  }

  /** @throws SystemCallError, NftError; then the next call begins with what the kernel has */
  apply(state: SwarmState): ApplyResult {
    const { firewall, doors, onVirtualAddresses } = this.#options
    const problems = faultsOf(state)
    const steps = planOverlay(this.#known(state), overlaysOf(state))
    this.#isUnsure = true
    this.#execute(
      steps.filter((step) => !isEntryRemoval(step)),
      problems,
    )
    const rules = this.#rulesOf(state, problems)
    const changes = changesBetween(this.#rules, rules)
    firewall.change(changes)
    this.#rules = rules
    this.#remember(state)
    onVirtualAddresses()
    this.#execute(steps.filter(isEntryRemoval), problems)
    this.#isUnsure = false
    if (steps.length > 0) {
      doors.log.debug(
        { revision: state.revision, steps: steps.map(describeStep) },
        'applied the swarm network',
      )
    }
    this.#cancelSave ??= doors.clock.after(saveDelayMs, () => this.#save())
    const missing = overlaysOf(state).flatMap(({ id }) => (this.#made.has(id) ? [] : [id]))
    return { changes: steps.length + changes.length, problems, missing }
  }

  /** Compares devices and entries with what they should be. @returns how many networks had to be mended */
  check(): number {
    const { doors } = this.#options
    let repairs = 0
    for (const made of this.#made.values()) {
      const { bridge, vxlan, changed } = ensureOverlay(doors, made.plan)
      made.devices = { bridge, vxlan }
      const { id, name, peers } = made.network
      const steps = planEntries(id, observeEntries(doors.socket, made.devices), entriesOf(peers))
      this.#execute(steps, [])
      if (changed === 0 && steps.length === 0) continue
      repairs++
      doors.log.warn(
        { network: name, devices: changed, steps: steps.map(describeStep) },
        'mended an overlay network: it was not what it should be',
      )
    }
    return repairs
  }

  namesOf(networkId: string): SwarmNames | undefined {
    return this.#made.get(networkId)?.names
  }

  virtualAddressesOf(networkId: string): readonly VirtualAddress[] {
    return this.#made.get(networkId)?.network.virtualAddresses ?? []
  }

  /** Devices of ours that have a purpose. */
  knownDevices(): string[] {
    return [...this.#made.values()].flatMap(({ plan }) => [plan.bridge.name, plan.vxlan])
  }

  close(): void {
    if (this.#cancelSave) this.#save()
    this.#ports.close()
  }

  /** The networks as they are before a change: as we made them, or where that is not sure, as the kernel says. */
  #known(state: SwarmState): Map<string, KnownNetwork> {
    const known = new Map<string, KnownNetwork>()
    for (const [id, { network }] of this.#made) known.set(id, { network, entries: entriesOf(network.peers) })
    if (!this.#isUnsure) return known
    for (const { id, vni } of overlaysOf(state)) {
      const devices = this.#findDevices(vni)
      if (devices) known.set(id, { entries: observeEntries(this.#options.doors.socket, devices) })
    }
    return known
  }

  #findDevices(vni: number): OverlayDevices | undefined {
    const { names, socket } = this.#options.doors
    const [bridge, vxlan] = [names.overlayBridge(vni), names.vxlan(vni)].map((name) => getLink(socket, name))
    return bridge && vxlan && { bridge: bridge.index, vxlan: vxlan.index }
  }

  #execute(steps: readonly OverlayStep[], problems: string[]): void {
    const requests: NetlinkRequest[] = []
    for (const step of steps) {
      if (step.kind === 'removeNetwork') this.#remove(step.network)
      else if (step.kind === 'makeNetwork') this.#make(step.network, problems)
      else {
        const made = this.#made.get(step.network)
        if (made) requests.push(...entryRequests(step, made.devices))
      }
    }
    this.#options.doors.socket.execute(requests)
  }

  /** One network that can't be made does not keep the others from it. */
  #make(network: SwarmNetwork, problems: string[]): void {
    const { doors, table, engineId } = this.#options
    try {
      const record = overlayRecord(network, doors.names.overlayBridge(network.vni))
      const live = table.get(network.id) ? table.update(record) : table.add(record)
      live.options.mtu ??= defaultOverlayMtu(doors.socket)
      const plan = overlayPlan(network, doors.names, live.options.mtu, engineId)
      const { bridge, vxlan } = ensureOverlay(doors, plan)
      live.bridge = bridge
      this.#made.set(network.id, {
        network,
        plan,
        devices: { bridge, vxlan },
        names: indexNames(network.names),
      })
    } catch (error) {
      this.#made.delete(network.id)
      table.delete(network.id)
      problems.push(`network ${network.name}: ${messageOf(error)}`)
    }
  }

  #remove(id: string): void {
    const { doors, table } = this.#options
    const made = this.#made.get(id)
    if (!made) return
    removeOverlay(doors, made.plan)
    this.#made.delete(id)
    table.delete(id)
    doors.log.info({ network: made.network.name }, 'left a network of the swarm')
  }

  /** Our part of the table for this state; of networks and ports that could not be had there are no rules. */
  #rulesOf(state: SwarmState, problems: string[]): Rules {
    const networks = overlaysOf(state).flatMap((network) => {
      const made = this.#made.get(network.id)
      return made ? [overlayNetworkRules(network, made.plan.bridge.name)] : []
    })
    const ports = this.#ports
      .hold(state.ingressPorts, problems)
      .filter(({ endpoints }) => endpoints.length > 0)
    return swarmRules(networks, ports, this.#options.engineId)
  }

  #remember(state: SwarmState): void {
    this.#state = state
    for (const network of overlaysOf(state)) {
      const made = this.#made.get(network.id)
      if (!made) continue
      made.network = network
      made.names = indexNames(network.names)
    }
  }

  #save(): void {
    this.#cancelSave?.()
    this.#cancelSave = undefined
    const { networks, ingressPorts } = this.#state
    const isEmpty = networks.length === 0 && ingressPorts.length === 0
    this.#options.storage.saveState(isEmpty ? undefined : this.#state)
  }
}

function overlaysOf({ networks }: SwarmState): SwarmNetwork[] {
  return networks.filter(({ driver }) => driver === 'overlay')
}

/** Peers that can't be reached from here, whatever is done. */
function faultsOf(state: SwarmState): string[] {
  return overlaysOf(state).flatMap(({ name, peers }) =>
    peers.flatMap((peer) => {
      const fault = faultOf(peer)
      return fault === undefined ? [] : [`network ${name}: ${fault}`]
    }),
  )
}

function isEntryRemoval({ kind }: OverlayStep): boolean {
  return kind === 'removeNeighbour' || kind === 'removeForwarding'
}
