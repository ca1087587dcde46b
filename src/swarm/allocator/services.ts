/**
 * What a service gets beside its tasks: published ports and a virtual address on each of its networks.
 */
import { fail } from '../errors.ts'
import type { Draft } from '../store/draft.ts'
import { claims } from '../store/objects/kinds.ts'
import type { PortConfig, Service, ServiceSpec, VirtualIp } from '../store/objects/service.ts'
import { type AddressCursors, releaseAddress } from './addresses.ts'

/** Swarm's range for ports that nobody named. */
const firstDynamicPort = 30000
const lastDynamicPort = 32767

type Endpoint = Service['Endpoint']

/**
 * Claims what the spec's endpoint needs, keeps what `old` had and still needs, and gives back the rest.
 * @param owner the service's id
 * @throws E_PORT_TAKEN, E_PORTS_NONE, E_ADDRESS_NONE
 */
export function allocateEndpoint(
  draft: Draft,
  cursors: AddressCursors,
  owner: string,
  spec: ServiceSpec,
  old: Endpoint = {},
): Endpoint {
  const Ports = allocatePorts(draft, owner, spec, old.Ports ?? [])
  const VirtualIPs = allocateVirtualIps(draft, cursors, owner, spec, old.VirtualIPs ?? [])
  return {
    Spec: {
      Mode: spec.EndpointSpec?.Mode ?? 'vip',
      ...(spec.EndpointSpec?.Ports && { Ports: spec.EndpointSpec.Ports }),
    },
    ...(Ports.length > 0 && { Ports }),
    ...(VirtualIPs.length > 0 && { VirtualIPs }),
  }
}

/** Gives back all that the service had. */
export function releaseEndpoint(draft: Draft, service: Service): void {
  for (const port of service.Endpoint.Ports ?? []) releasePort(draft, service.ID, port)
  for (const { NetworkID, Addr } of service.Endpoint.VirtualIPs ?? []) {
    releaseAddress(draft, NetworkID, Addr, service.ID)
  }
}

function allocatePorts(draft: Draft, owner: string, spec: ServiceSpec, old: PortConfig[]): PortConfig[] {
  const wanted = spec.EndpointSpec?.Ports ?? []
  // Named ports first, so that a dynamic one does not take the number that the next line names.
  const fixed = wanted.map((port) =>
    port.PublishedPort ? claimPort(draft, owner, port, port.PublishedPort) : port,
  )
  const all = fixed.map((port) => {
    if (port.PublishedPort || port.PublishMode === 'host') return port
    const before = old.find(
      (one) =>
        one.TargetPort === port.TargetPort &&
        one.Protocol === port.Protocol &&
        one.PublishMode === 'ingress' &&
        !fixed.some((other) => sameNumber(other, one)),
    )
    return claimPort(draft, owner, port, before?.PublishedPort || freePort(draft, port))
  })
  for (const port of old) if (!all.some((one) => sameNumber(one, port))) releasePort(draft, owner, port)
  return all
}

function claimPort(draft: Draft, owner: string, port: PortConfig, number: number): PortConfig {
  if (port.PublishMode === 'host') return port
  const claim = claims.port(port.Protocol, number)
  if (!draft.claim(claim, owner)) {
    const other = draft.ownerOf(claim)!
    const service = draft.view.get('service', other)?.Spec.Name ?? other
    throw fail('E_PORT_TAKEN', { port: number, service, id: other })
  }
  return { ...port, PublishedPort: number }
}

function freePort(draft: Draft, port: PortConfig): number {
  for (let number = firstDynamicPort; number <= lastDynamicPort; number++) {
    if (draft.ownerOf(claims.port(port.Protocol, number)) === undefined) return number
  }
  throw fail('E_PORTS_NONE', { first: firstDynamicPort, last: lastDynamicPort })
}

function releasePort(draft: Draft, owner: string, port: PortConfig): void {
  if (port.PublishMode === 'ingress') draft.release(claims.port(port.Protocol, port.PublishedPort!), owner)
}

function sameNumber(a: PortConfig, b: PortConfig): boolean {
  return a.Protocol === b.Protocol && a.PublishedPort === b.PublishedPort && a.PublishMode === b.PublishMode
}

function allocateVirtualIps(
  draft: Draft,
  cursors: AddressCursors,
  owner: string,
  spec: ServiceSpec,
  old: VirtualIp[],
): VirtualIp[] {
  const networks = (spec.EndpointSpec?.Mode ?? 'vip') === 'vip' ? networksOf(draft, spec) : []
  const all = networks.map((network): VirtualIp => {
    const before = old.find(({ NetworkID }) => NetworkID === network.ID)
    if (before) return before
    const Addr = cursors.take(draft, network, owner)
    if (!Addr) throw fail('E_ADDRESS_NONE', { network: network.Name, subnet: network.IPAM.Subnet })
    return { NetworkID: network.ID, Addr }
  })
  for (const vip of old) {
    if (!all.some(({ NetworkID }) => NetworkID === vip.NetworkID)) {
      releaseAddress(draft, vip.NetworkID, vip.Addr, owner)
    }
  }
  return all
}

/** The service's networks that are the swarm's; "host" and the like are not. */
function networksOf(draft: Draft, spec: ServiceSpec) {
  const ids = new Set((spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target))
  // Read as a condition: a network that is being removed takes no service.
  return [...ids].flatMap((id) => (draft.view.get('network', id) ? (draft.get('network', id) ?? []) : []))
}
