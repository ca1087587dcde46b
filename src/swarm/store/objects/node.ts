import type { Labels, Meta, Platform, Resources } from './meta.ts'

export type NodeRole = 'worker' | 'manager'
export type Availability = 'active' | 'pause' | 'drain'

export interface NodeSpec {
  Name?: string
  Labels: Labels
  Role: NodeRole
  Availability: Availability
}

/** What a node says of itself when it opens its stream. */
export interface NodeDescription {
  Hostname: string
  Platform: Platform
  Resources: Resources
  Engine: { EngineVersion: string; Labels?: Labels; Plugins?: { Type: string; Name: string }[] }
  TLSInfo?: TlsInfo
}

export interface TlsInfo {
  /** PEM. */
  TrustRoot: string
  /** Base64 of the DER form. */
  CertIssuerSubject: string
  CertIssuerPublicKey: string
}

export type NodeState = 'unknown' | 'down' | 'ready' | 'disconnected'

export interface Node extends Meta {
  Spec: NodeSpec
  Description?: NodeDescription
  Status: { State: NodeState; Message?: string; Addr: string }
  ManagerStatus?: { Leader: boolean; Reachability: 'unknown' | 'unreachable' | 'reachable'; Addr: string }
  /** Where other hosts send its overlay traffic. */
  DataPathAddr: string
  /** Its own address, as CIDR, on the network that carries published ports. */
  IngressAddress?: string
}
