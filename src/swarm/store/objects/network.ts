import type { Labels, Meta } from './meta.ts'

export interface IpamConfig {
  /** CIDR. */
  Subnet: string
  /** The address that containers route through; each host has it on its own bridge. */
  Gateway: string
  IPRange?: string
}

export interface Network extends Meta {
  Name: string
  Driver: string
  Labels: Labels
  Options: Record<string, string>
  Internal: boolean
  Attachable: boolean
  /** True for the one network that carries published ports. */
  Ingress: boolean
  EnableIPv6: boolean
  IPAM: IpamConfig
  IpamOptions?: Record<string, string>
  /** Users don't see it any more; it goes when the last address on it is given back. */
  Removing?: boolean
  /** The VXLAN's number on the wire. */
  Vni: number
}
