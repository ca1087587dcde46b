/**
 * The order in which nodes get equal tasks: spread over the labels that the service prefers, and among equal
 * nodes over those with the fewest tasks of the service, then the fewest tasks at all.
 */
import { Heap } from './heap.ts'
import type { NodeInfo } from './node-info.ts'

export interface Candidates {
  /** Takes the node for the next task; put it back with `putBack` if it can have more. */
  take(): NodeInfo | undefined
  /** The node has got the task that it was taken for. */
  putBack(info: NodeInfo): void
}

/** @param descriptors labels to spread over, the first the most important: "node.labels.zone" */
export function spreadCandidates(
  infos: NodeInfo[],
  serviceId: string,
  descriptors: string[],
  nowMs: number,
): Candidates {
  const [descriptor, ...rest] = descriptors
  if (descriptor === undefined) return new Leaf(infos, serviceId, nowMs)
  const groups = Map.groupBy(infos, (info) => labelOf(info, descriptor))
  return new Branch(
    [...groups].map(([value, members]) => {
      const tasks = members.reduce((sum, info) => sum + info.countOf(serviceId), 0)
      return { value, tasks, members: spreadCandidates(members, serviceId, rest, nowMs) }
    }),
    (info) => labelOf(info, descriptor),
  )
}

class Leaf implements Candidates {
  readonly #heap: Heap<NodeInfo>

  constructor(infos: NodeInfo[], serviceId: string, nowMs: number) {
    const fails = new Set(infos.filter((info) => info.failsOften(serviceId, nowMs)))
    this.#heap = new Heap<NodeInfo>(
      (a, b) =>
        Number(fails.has(a)) - Number(fails.has(b)) ||
        a.countOf(serviceId) - b.countOf(serviceId) ||
        a.active - b.active ||
        (a.node.ID < b.node.ID ? -1 : 1),
    )
    for (const info of infos) this.#heap.push(info)
  }

  take(): NodeInfo | undefined {
    return this.#heap.pop()
  }

  putBack(info: NodeInfo): void {
    this.#heap.push(info)
  }
}

interface Group {
  value: string
  tasks: number
  members: Candidates
}

/** Nodes without the label are one group, as in Swarm. */
class Branch implements Candidates {
  readonly #groups: Map<string, Group>
  readonly #labelOf: (info: NodeInfo) => string

  constructor(groups: Group[], label: (info: NodeInfo) => string) {
    this.#groups = new Map(groups.map((group) => [group.value, group]))
    this.#labelOf = label
  }

  take(): NodeInfo | undefined {
    const order = [...this.#groups.values()].sort((a, b) => a.tasks - b.tasks || (a.value < b.value ? -1 : 1))
    for (const group of order) {
      const info = group.members.take()
      if (info) return info
    }
    return undefined
  }

  putBack(info: NodeInfo): void {
    const group = this.#groups.get(this.#labelOf(info))!
    group.tasks++
    group.members.putBack(info)
  }
}

function labelOf({ node }: NodeInfo, descriptor: string): string {
  const [node_, engine] = ['node.labels.', 'engine.labels.']
  if (descriptor.startsWith(node_)) return node.Spec.Labels[descriptor.slice(node_.length)] ?? ''
  if (descriptor.startsWith(engine))
    return node.Description?.Engine.Labels?.[descriptor.slice(engine.length)] ?? ''
  return ''
}
