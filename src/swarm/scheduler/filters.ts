/**
 * Which nodes may have a task, and why the others may not. A node is refused by the first filter that
 * refuses it, so the order is from "out of the question" to "not now".
 */
import { formatBytes } from '../../shared/units.ts'
import {
  architecture,
  type Constraint,
  describeConstraint,
  meets,
  parseConstraint,
} from '../placement/constraints.ts'
import type { Template } from '../store/objects/template.ts'
import type { Load, NodeInfo } from './node-info.ts'

/** What is to be placed: equal tasks of one service. */
export interface Request {
  template: Template
  load: Load
  constraints: Constraint[]
}

/**
 * Tasks on networks that a node can have. A Linux bridge has 1023 ports, and all tasks of a node may be on the
 * same one; a few ports are left to the tunnel and to containers that are no tasks.
 */
export const networkTasksLimit = 1000

export function requestOf(template: Template, serviceId: string): Request {
  const constraints = (template.Spec.Placement?.Constraints ?? []).map(parseConstraint)
  return { template, load: loadOf(template, serviceId), constraints }
}

export function loadOf(template: Template, serviceId: string): Load {
  const reserved = template.Spec.Resources?.Reservations
  return {
    serviceId,
    nanoCpus: reserved?.NanoCPUs ?? 0,
    memoryBytes: reserved?.MemoryBytes ?? 0,
    hostPorts: template.HostPorts,
    onNetwork: isOnNetwork(template),
    active: true,
  }
}

/** Where no network is named it is the engine's own bridge. */
function isOnNetwork({ Spec: { Networks = [] }, Ingress }: Template): boolean {
  return Ingress || Networks.length === 0 || Networks.some(({ Target }) => !['host', 'none'].includes(Target))
}

/** Why the node can't have the task, as words that follow "1 node: "; undefined when it can. */
type Filter = (info: NodeInfo, request: Request) => string | undefined

const ready: Filter = ({ node }) => {
  if (node.Status.State !== 'ready') return node.Status.State
  if (node.Spec.Availability === 'active') return undefined
  return node.Spec.Availability === 'drain' ? 'drained' : 'paused'
}

const platform: Filter = ({ node }, { template }) => {
  const wanted = template.Spec.Placement?.Platforms ?? []
  const has = node.Description?.Platform
  const fits = wanted.some(
    ({ OS, Architecture }) =>
      (!OS || OS === has?.OS) &&
      (!Architecture || architecture(Architecture) === architecture(has?.Architecture)),
  )
  if (wanted.length === 0 || fits) return undefined
  return `no image for ${has?.OS ?? 'its system'}/${has?.Architecture ?? 'its processor'}`
}

const constraint: Filter = ({ node }, { constraints }) => {
  const unmet = constraints.find((one) => !meets(node, one))
  return unmet && `not ${describeConstraint(unmet)}`
}

const maxReplicas: Filter = (info, { template, load }) => {
  const limit = template.Spec.Placement?.MaxReplicas ?? 0
  return limit > 0 && info.countOf(load.serviceId) >= limit ? `has its ${limit} replicas` : undefined
}

const hostPort: Filter = (info, { load }) => {
  const taken = load.hostPorts.find((port) => port.PublishedPort && info.isTaken(port))
  return taken && `port ${taken.PublishedPort}/${taken.Protocol} taken`
}

const memory: Filter = (info, { load }) => {
  if (load.memoryBytes === 0) return undefined
  const free = (info.node.Description?.Resources.MemoryBytes ?? 0) - info.memoryBytes
  return load.memoryBytes > free ? `no room for ${formatBytes(load.memoryBytes)}` : undefined
}

const cpu: Filter = (info, { load }) => {
  if (load.nanoCpus === 0) return undefined
  const free = (info.node.Description?.Resources.NanoCPUs ?? 0) - info.nanoCpus
  return load.nanoCpus > free ? `no room for ${load.nanoCpus / 1e9} CPUs` : undefined
}

const networkRoom: Filter = (info, { load }) =>
  load.onNetwork && info.onNetworks >= networkTasksLimit
    ? `no room for more than ${networkTasksLimit} tasks on networks`
    : undefined

const filters = [ready, platform, constraint, maxReplicas, hostPort, memory, cpu, networkRoom]
/** Those whose answer changes as tasks are placed. */
const changing = [maxReplicas, hostPort, memory, cpu, networkRoom]

export function refusalOf(info: NodeInfo, request: Request): string | undefined {
  for (const filter of filters) {
    const refusal = filter(info, request)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

/** For a node that was let through a moment ago and got a task since. */
export function hasRoom(info: NodeInfo, request: Request): boolean {
  return changing.every((filter) => filter(info, request) === undefined)
}

/** "no suitable node (2 nodes: drained; 1 node: no room for 2GB)", the most frequent reason first. */
export function explainRefusals(refusals: string[]): string {
  if (refusals.length === 0) return 'no suitable node (the swarm has none)'
  const counts = new Map<string, number>()
  for (const refusal of refusals) counts.set(refusal, (counts.get(refusal) ?? 0) + 1)
  const reasons = [...counts]
    .sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1))
    .map(([reason, count]) => `${count} ${count === 1 ? 'node' : 'nodes'}: ${reason}`)
  return `no suitable node (${reasons.join('; ')})`
}
