/**
 * What the scheduler knows of a node: what it has, and what is reserved on it already.
 */
import type { Node } from '../store/objects/node.ts'
import type { PortConfig } from '../store/objects/service.ts'
import type { Task } from '../store/objects/task.ts'

/** What a task takes from its node. */
export interface Load {
  serviceId: string
  nanoCpus: number
  memoryBytes: number
  hostPorts: PortConfig[]
  /** It has a port on a bridge of the node; one on the host's network, or on none, has not. */
  onNetwork: boolean
  /** It is there to stay; one that is being stopped counts for room, but not for the spread. */
  active: boolean
}

/** Swarm's: a node on which a service's tasks failed so often of late is the last to get another one. */
const failureLimit = 5
const failureWindowMs = 5 * 60_000

export class NodeInfo {
  node: Node
  readonly #loads = new Map<string, Load>()
  readonly #perService = new Map<string, number>()
  readonly #hostPorts = new Map<string, number>()
  readonly #failures = new Map<string, number[]>()
  nanoCpus = 0
  memoryBytes = 0
  /** Tasks on networks. */
  onNetworks = 0
  active = 0

  constructor(node: Node) {
    this.node = node
  }

  /** Active tasks of the service here. */
  countOf(serviceId: string): number {
    return this.#perService.get(serviceId) ?? 0
  }

  isTaken(port: PortConfig): boolean {
    return this.#hostPorts.has(portKey(port))
  }

  /** Adds the task's load, or replaces it. */
  add(taskId: string, load: Load): void {
    this.remove(taskId)
    this.#loads.set(taskId, load)
    this.#count(load, 1)
  }

  remove(taskId: string): void {
    const load = this.#loads.get(taskId)
    if (!load) return
    this.#loads.delete(taskId)
    this.#count(load, -1)
  }

  noteFailure(task: Task, nowMs: number): void {
    const recent = this.#recentFailures(task.ServiceID, nowMs)
    this.#failures.set(task.ServiceID, [...recent, nowMs].slice(-failureLimit))
  }

  failsOften(serviceId: string, nowMs: number): boolean {
    return this.#recentFailures(serviceId, nowMs).length >= failureLimit
  }

  #recentFailures(serviceId: string, nowMs: number): number[] {
    return (this.#failures.get(serviceId) ?? []).filter((time) => time > nowMs - failureWindowMs)
  }

  #count(load: Load, sign: 1 | -1): void {
    this.nanoCpus += sign * load.nanoCpus
    this.memoryBytes += sign * load.memoryBytes
    if (load.onNetwork) this.onNetworks += sign
    for (const port of load.hostPorts) step(this.#hostPorts, portKey(port), sign)
    if (!load.active) return
    this.active += sign
    step(this.#perService, load.serviceId, sign)
  }
}

function step(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by
  if (count === 0) counts.delete(key)
  else counts.set(key, count)
}

function portKey(port: PortConfig): string {
  return `${port.Protocol}/${port.PublishedPort || port.TargetPort}`
}
