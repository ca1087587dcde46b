/**
 * What the swarm says of this host's data plane: all of it, a pure function of the store's state at a revision.
 * These are the engine's own words for it; the daemon's root hands over what the swarm's agent has.
 */
import type { SocketProtocol } from '../../kernel/netns-sockets.ts'

export interface SwarmState {
  /** The store's revision that it shows. */
  revision: number
  networks: SwarmNetwork[]
  /** Ports that this host answers on, whether or not it runs a task of the service. */
  ingressPorts: IngressPort[]
}

export interface SwarmNetwork {
  id: string
  name: string
  /** Only "overlay" is known here; others are passed over. */
  driver: string
  /** VXLAN network identifier (RFC 7348). */
  vni: number
  /** UDP port that all hosts take VXLAN packets on; VXLAN's own when left out. */
  dataPathPort?: number
  /** CIDR. */
  subnet: string
  /** The same on each host's own bridge; containers route through it. */
  gateway: string
  internal: boolean
  ingress: boolean
  labels: Record<string, string>
  /** `com.docker.network.driver.mtu` among them. */
  options: Record<string, string>
  /** This host's own address (CIDR) and hardware address on the network: from there it passes requests on. */
  node?: { address: string; macAddress: string }
  /** What lives on the network on other hosts. */
  peers: SwarmPeer[]
  names: SwarmName[]
  virtualAddresses: SwarmVirtualAddress[]
}

export interface SwarmPeer {
  /** Without prefix length. */
  address: string
  macAddress: string
  /** Where its host takes VXLAN packets. */
  host: string
}

export interface SwarmName {
  name: string
  addresses: string[]
}

export interface SwarmVirtualAddress {
  address: string
  service: string
  /** Addresses of the tasks that take requests, sorted. None: refuse. */
  endpoints: string[]
}

export interface IngressPort {
  protocol: SocketProtocol
  /** On the host. */
  publishedPort: number
  /** In the tasks. */
  targetPort: number
  service: string
  /** Addresses on the ingress network, sorted. */
  endpoints: { address: string; local: boolean }[]
}

/** Of VXLAN (RFC 7348; IANA). */
const vxlanPort = 4789

export function dataPathPortOf({ dataPathPort = vxlanPort }: SwarmNetwork): number {
  return dataPathPort
}

export const emptyState: SwarmState = { revision: 0, networks: [], ingressPorts: [] }
