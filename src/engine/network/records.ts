/** What is kept of networks and of attached containers over a restart of the daemon. */
import type { SocketProtocol } from '../kernel/netns-sockets.ts'
import type { PublishedPort } from './host-rules.ts'

export const recordVersion = 1

/** A network as it was made. Of the swarm's networks there is none on disk: they come with the state. */
export interface NetworkRecord {
  version: typeof recordVersion
  id: string
  name: string
  driver: 'bridge' | 'host' | 'null' | 'overlay'
  scope: 'local' | 'swarm'
  /** RFC 3339. */
  created: string
  internal: boolean
  attachable: boolean
  ingress: boolean
  options: Record<string, string>
  labels: Record<string, string>
  ipam: NetworkIpam
  /** Its device on the host; empty where it has none. */
  bridge: string
  /** The device was there before the network and stays when it goes. */
  keepBridge?: boolean
}

export interface NetworkIpam {
  driver: string
  options: Record<string, string>
  /** CIDR; empty where the network has no addresses. */
  subnet: string
  gateway: string
  /** CIDR: where addresses that nobody asked for come from. */
  range?: string
  /** Addresses that no endpoint may have, by the name that the user gave them. */
  auxiliary?: Record<string, string>
}

/** A container's place on a network. */
export interface EndpointRecord {
  id: string
  networkId: string
  /** The key under which the API shows it. */
  networkName: string
  address: string
  prefixLength: number
  /** Empty where the network has no way out. */
  gateway: string
  mac: string
  /** The host's end. */
  device: string
  /** The container's end: "eth0". */
  interface: string
  /** As the user gave them. */
  aliases: string[]
  /** All names by which the resolver knows it. */
  dnsNames: string[]
  /** Of several endpoints with a gateway, the highest has the default route. */
  gatewayPriority: number
  /** What the user asked for. */
  requested: { address?: string; mac?: string }
  driverOptions?: Record<string, string>
  links?: string[]
}

export interface PortRequest {
  protocol: SocketProtocol
  /** In the container. */
  port: number
  hostAddress: string
  /** Any port of these; 0 and 0: any that is free. */
  firstHostPort: number
  lastHostPort: number
}

export interface ResolverSettings {
  servers: string[]
  search: string[]
  options: string[]
}

/** A running container's network. */
export interface ContainerRecord {
  version: typeof recordVersion
  /** Of another boot, nothing of it is left. */
  bootId: string
  id: string
  /** Without the API's slash. */
  name: string
  hostname: string
  endpoints: EndpointRecord[]
  /** What it publishes; kept also while it is on no network that can. */
  portRequests: PortRequest[]
  ports: PublishedPort[]
  /** What its files say beside the above. */
  wishes: FileWishes
}

/** What the user asks for in the files that a container gets for its network. */
export interface FileWishes {
  domainname?: string
  /** HostConfig.ExtraHosts. */
  extraHosts?: string[]
  /** HostConfig.Dns, DnsSearch and DnsOptions; what is left out is the host's. */
  dns?: Partial<ResolverSettings>
}
