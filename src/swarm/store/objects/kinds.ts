/**
 * The kinds of rows and their keys: `KIND/ID`. A claim is a row that says who owns something that only one
 * can have (a name, a port, an address): making it under the condition that it is absent is what keeps two
 * owners apart, whatever the number of writers.
 */
import type { Cluster, Secrets } from './cluster.ts'
import type { Network } from './network.ts'
import type { Node } from './node.ts'
import type { Service } from './service.ts'
import type { Task } from './task.ts'
import type { Template } from './template.ts'

export interface Claim {
  ID: string
  /** Id of the owner. */
  Owner: string
}

export interface Kinds {
  cluster: Cluster
  secrets: Secrets
  node: Node
  service: Service
  template: Template
  task: Task
  network: Network
  claim: Claim
}

export type Kind = keyof Kinds

const kinds: Record<Kind, true> = {
  cluster: true,
  secrets: true,
  node: true,
  service: true,
  template: true,
  task: true,
  network: true,
  claim: true,
}

/** All but claims are changed in place, and so carry Version, CreatedAt and UpdatedAt. */
export type VersionedKind = Exclude<Kind, 'claim'>

export function keyOf(kind: Kind, id: string): string {
  return `${kind}/${id}`
}

/** Undefined for a key that this version does not know. */
export function parseKey(key: string): { kind: Kind; id: string } | undefined {
  const slash = key.indexOf('/')
  const kind = key.slice(0, slash)
  return Object.hasOwn(kinds, kind) ? { kind: kind as Kind, id: key.slice(slash + 1) } : undefined
}

/** Ids of claims, one function per thing that can be owned once. */
export const claims = {
  serviceName: (name: string) => `name/service/${encodeURIComponent(name)}`,
  networkName: (name: string) => `name/network/${encodeURIComponent(name)}`,
  port: (protocol: string, port: number) => `port/${protocol}/${port}`,
  vni: (vni: number) => `vni/${vni}`,
  subnet: (subnet: string) => `subnet/${subnet}`,
  address: (networkId: string, address: string) => `address/${networkId}/${address}`,
}
