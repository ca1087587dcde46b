/**
 * Networks of the swarm, for the engine's own /networks routes: they ask here for those that are not the
 * host's alone.
 */
import { takeSubnet, takeVni } from '../allocator/networks.ts'
import { fail } from '../errors.ts'
import type { Manager } from '../manager.ts'
import { clusterKey } from '../store/objects/cluster.ts'
import { claims } from '../store/objects/kinds.ts'
import type { Labels } from '../store/objects/meta.ts'
import { type Filters, passes, passesLabels } from './filters.ts'
import { findOne } from './find.ts'
import { presentHostNetwork, presentNetwork } from './present.ts'
import { readNetwork } from './schemas/swarm.ts'
import { hostNetworks } from './service-spec.ts'

/** The body of POST /networks/create, as far as it matters here. */
export interface NetworkRequest {
  Name: string
  Driver?: string
  Scope?: string
  Internal?: boolean
  Attachable?: boolean
  Ingress?: boolean
  EnableIPv6?: boolean
  Options?: Record<string, string> | null
  Labels?: Labels | null
  IPAM?: {
    Driver?: string
    Options?: Record<string, string> | null
    Config?: { Subnet?: string; Gateway?: string; IPRange?: string }[] | null
  } | null
}

/** Whether a network that is to be made is the swarm's. */
export function isSwarmNetwork(request: Pick<NetworkRequest, 'Driver' | 'Scope'>): boolean {
  return request.Driver === 'overlay' || request.Scope === 'swarm'
}

/** @returns the new network's id @throws E_NAME_TAKEN, E_SPEC_INVALID, E_SUBNET_*, E_POOL_FULL, E_UNSUPPORTED */
export async function createNetwork(manager: Manager, body: NetworkRequest): Promise<string> {
  const { database, context } = manager
  const request = readNetwork(body)
  const { Name, Driver = 'overlay', Options, Labels, IPAM } = request
  if (!Name) throw fail('E_SPEC_INVALID', { why: 'name must be provided' })
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(Name)) {
    throw fail('E_SPEC_INVALID', { why: `'${Name}' can't be a network's name: letters, digits and _.- only` })
  }
  if (hostNetworks.includes(Name)) throw fail('E_NETWORK_TAKEN', { name: Name })
  if ((Driver || 'overlay') !== 'overlay')
    throw fail('E_UNSUPPORTED', { what: `swarm networks with driver ${Driver}` })
  if (request.Ingress) throw fail('E_UNSUPPORTED', { what: 'a second ingress network' })
  if (request.EnableIPv6) throw fail('E_UNSUPPORTED', { what: 'IPv6 on overlay networks' })
  if (Options && 'encrypted' in Options)
    throw fail('E_UNSUPPORTED', { what: 'encryption of overlay networks' })
  const [config, ...more] = (IPAM?.Config ?? []).filter(({ Subnet }) => Subnet)
  if (more.length > 0) throw fail('E_UNSUPPORTED', { what: 'more than one subnet on an overlay network' })
  const id = context.newId()
  await database.transact((draft) => {
    const cluster = draft.get('cluster', clusterKey)!
    if (!draft.claim(claims.networkName(Name), id)) throw fail('E_NETWORK_TAKEN', { name: Name })
    const wanted = {
      ...(config?.Subnet && { subnet: config.Subnet }),
      ...(config?.Gateway && { gateway: config.Gateway }),
      ...(config?.IPRange && { range: config.IPRange }),
    }
    draft.put('network', {
      ID: id,
      Name,
      Driver: 'overlay',
      Labels: Labels ?? {},
      Options: Options ?? {},
      Internal: request.Internal ?? false,
      Attachable: request.Attachable ?? false,
      Ingress: false,
      EnableIPv6: false,
      IPAM: takeSubnet(draft, cluster, cluster.SubnetSize, id, wanted),
      ...(IPAM?.Options && { IpamOptions: IPAM.Options }),
      Vni: takeVni(draft, id),
    })
  })
  return id
}

/** Those that pass; `dangling` and `type` are for the asker, who knows the host's networks too. */
export function listNetworks(manager: Manager, filters: Filters = new Map()) {
  return [...manager.database.replica.all('network')]
    .filter(
      (network) =>
        !network.Removing &&
        passes(filters, 'id', (id) => network.ID.startsWith(id)) &&
        passes(filters, 'name', (name) => network.Name.includes(name)) &&
        passes(filters, 'driver', (driver) => network.Driver === driver) &&
        passes(filters, 'scope', (scope) => scope === 'swarm') &&
        passesLabels(filters, 'label', network.Labels),
    )
    .map(presentNetwork)
}

/**
 * Also the networks of the hosts themselves, which services may name: docker asks for them before it creates
 * one with `--network host`.
 * @throws E_OBJECT_UNKNOWN, E_OBJECT_AMBIGUOUS
 */
export function inspectNetwork(manager: Manager, ref: string) {
  if (hostNetworks.includes(ref)) return presentHostNetwork(ref)
  const network = findOne(manager.database.replica, 'network', ref)
  if (network.Removing) throw fail('E_OBJECT_UNKNOWN', { kind: 'network', ref })
  return presentNetwork(network)
}

/**
 * Takes the network away. Its name is free at once; hosts keep it until the last task on it has stopped.
 * @throws E_OBJECT_UNKNOWN, E_NETWORK_BUSY, E_NETWORK_INGRESS
 */
export async function removeNetwork(manager: Manager, ref: string): Promise<void> {
  await manager.database.transact((draft) => {
    const network = draft.get('network', findOne(draft.view, 'network', ref).ID)!
    if (network.Removing) throw fail('E_OBJECT_UNKNOWN', { kind: 'network', ref })
    if (network.Ingress) throw fail('E_NETWORK_INGRESS', {})
    const [user] = [...draft.view.servicesOn(network.ID)]
    if (user) throw fail('E_NETWORK_BUSY', { network: network.Name, service: user.Spec.Name })
    draft.release(claims.networkName(network.Name), network.ID)
    draft.put('network', { ...network, Removing: true })
  })
}
