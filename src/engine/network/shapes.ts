/** Networks and endpoints as the Docker Engine API shows and takes them. Field names are the API's. */

export interface Ipam {
  Driver: string
  Options: Record<string, string> | null
  Config: IpamConfig[] | null
}

export interface IpamConfig {
  Subnet?: string
  IPRange?: string
  Gateway?: string
  AuxiliaryAddresses?: Record<string, string>
}

/** The body of POST /networks/create. */
export interface NetworkCreateBody {
  Name: string
  Driver?: string
  Scope?: string
  Internal?: boolean
  Attachable?: boolean
  Ingress?: boolean
  ConfigOnly?: boolean
  ConfigFrom?: { Network?: string } | null
  IPAM?: Partial<Ipam> | null
  EnableIPv4?: boolean
  EnableIPv6?: boolean
  Options?: Record<string, string> | null
  Labels?: Record<string, string> | null
}

/** An item of GET /networks. */
export interface NetworkSummary {
  Name: string
  Id: string
  Created: string
  Scope: string
  Driver: string
  EnableIPv4: boolean
  EnableIPv6: boolean
  IPAM: Ipam
  Internal: boolean
  Attachable: boolean
  Ingress: boolean
  ConfigFrom: { Network: string }
  ConfigOnly: boolean
  Containers: Record<string, EndpointResource>
  Options: Record<string, string>
  Labels: Record<string, string>
  Peers?: { Name: string; IP: string }[]
}

/** GET /networks/ID. */
export type NetworkInspect = NetworkSummary

export interface EndpointResource {
  Name: string
  EndpointID: string
  MacAddress: string
  IPv4Address: string
  IPv6Address: string
}

/** What a caller gives for an endpoint, in NetworkingConfig.EndpointsConfig and in a connect request. */
export interface EndpointConfig {
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] } | null
  Links?: string[] | null
  MacAddress?: string
  Aliases?: string[] | null
  DriverOpts?: Record<string, string> | null
  GwPriority?: number
}

/** What inspect shows of one. */
export interface EndpointSettings {
  IPAMConfig: { IPv4Address?: string } | null
  Links: string[] | null
  Aliases: string[] | null
  MacAddress: string
  DriverOpts: Record<string, string> | null
  GwPriority: number
  NetworkID: string
  EndpointID: string
  Gateway: string
  IPAddress: string
  IPPrefixLen: number
  IPv6Gateway: string
  GlobalIPv6Address: string
  GlobalIPv6PrefixLen: number
  DNSNames: string[] | null
}

export interface PortBinding {
  HostIp: string
  HostPort: string
}

/** "80/tcp" -> where the host answers for it; null where it does not. */
export type PortMap = Record<string, PortBinding[] | null>

/** NetworkSettings of a container's inspect. The fields of the top are those of the network `bridge`. */
export interface NetworkSettings {
  Bridge: string
  SandboxID: string
  SandboxKey: string
  Ports: PortMap
  HairpinMode: boolean
  LinkLocalIPv6Address: string
  LinkLocalIPv6PrefixLen: number
  SecondaryIPAddresses: null
  SecondaryIPv6Addresses: null
  EndpointID: string
  Gateway: string
  GlobalIPv6Address: string
  GlobalIPv6PrefixLen: number
  IPAddress: string
  IPPrefixLen: number
  IPv6Gateway: string
  MacAddress: string
  Networks: Record<string, EndpointSettings>
}
