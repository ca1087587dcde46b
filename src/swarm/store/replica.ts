/**
 * The whole state in memory, as objects with indexes, kept up by a watch. All planners read here; nothing is
 * written here. Listeners hear of every batch in order, after the indexes show it.
 * Objects in it are shared and must not be changed: a change is a new object through a Draft.
 */
import { fail } from '../errors.ts'
import { type Kind, type Kinds, parseKey } from './objects/kinds.ts'
import type { Network } from './objects/network.ts'
import type { Node } from './objects/node.ts'
import type { Service } from './objects/service.ts'
import type { Task } from './objects/task.ts'
import type { Batch, Store } from './store.ts'

/** One object that came, changed or went. */
export type ObjectChange = { [K in Kind]: { kind: K; id: string; before?: Kinds[K]; after?: Kinds[K] } }[Kind]

export type ReplicaListener = (changes: ObjectChange[], revision: number) => void

/** What planners may see of the state. */
export interface View {
  readonly revision: number
  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined
  all<K extends Kind>(kind: K): Iterable<Kinds[K]>
  count(kind: Kind): number
  tasksOf(serviceId: string): Iterable<Task>
  tasksOn(nodeId: string): Iterable<Task>
  /** Services whose template attaches to the network. */
  servicesOn(networkId: string): Iterable<Service>
}

type Tables = { [K in Kind]: Map<string, Kinds[K]> }

export class Replica implements View {
  readonly #tables: Tables = {
    cluster: new Map(),
    secrets: new Map(),
    node: new Map(),
    service: new Map(),
    template: new Map(),
    task: new Map(),
    network: new Map(),
    claim: new Map(),
  }
  readonly #byService = new Index<Task>((task) => [task.ServiceID])
  readonly #byNode = new Index<Task>((task) => [task.NodeID])
  readonly #byNetwork = new Index<Service>((service) => networksOf(service))
  readonly #listeners = new Set<ReplicaListener>()
  #waiting: { revision: number; resolve: () => void }[] = []
  readonly #stop = new AbortController()
  #revision = 0
  /** Ends when the replica is closed; rejects when its watch or a listener failed, after which it is of no use. */
  readonly done: Promise<void>

  private constructor(store: Store, batch: Batch) {
    this.#apply(batch)
    this.done = this.#follow(store)
    // Who needs the replica listens to it; for the others it is not an error that nobody caught.
    this.done.catch(() => undefined)
  }

  /** Loads the state and follows it from there. */
  static async open(store: Store): Promise<Replica> {
    const { revision, entries } = await store.list('')
    const changes = entries.map(({ key, value, created, modified }) => ({ key, value, created, modified }))
    return new Replica(store, { revision, changes })
  }

  get revision(): number {
    return this.#revision
  }

  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#tables[kind].get(id)
  }

  all<K extends Kind>(kind: K): Iterable<Kinds[K]> {
    return this.#tables[kind].values()
  }

  count(kind: Kind): number {
    return this.#tables[kind].size
  }

  tasksOf(serviceId: string): Iterable<Task> {
    return this.#byService.of(serviceId)
  }

  tasksOn(nodeId: string): Iterable<Task> {
    return this.#byNode.of(nodeId)
  }

  servicesOn(networkId: string): Iterable<Service> {
    return this.#byNetwork.of(networkId)
  }

  /** Calls the listener from the next batch on; the returned function ends that. */
  subscribe(listener: ReplicaListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when the replica shows this revision (or is closed). */
  reached(revision: number): Promise<void> {
    if (this.#revision >= revision || this.#stop.signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.push({ revision, resolve })
    return promise
  }

  close(): void {
    this.#stop.abort()
    for (const { resolve } of this.#waiting) resolve()
    this.#waiting = []
  }

  async #follow(store: Store): Promise<void> {
    try {
      for await (const batch of store.watch('', { from: this.#revision, signal: this.#stop.signal })) {
        const changes = this.#apply(batch)
        for (const listener of this.#listeners) listener(changes, batch.revision)
        this.#release()
      }
      if (!this.#stop.signal.aborted) throw fail('E_STORE_CLOSED', {})
    } finally {
      this.close()
    }
  }

  #apply(batch: { revision: number; changes: Batch['changes'] }): ObjectChange[] {
    const changes: ObjectChange[] = []
    for (const change of batch.changes) {
      const parsed = parseKey(change.key)
      if (!parsed) continue
      const modified = (change as { modified?: number }).modified ?? batch.revision
      changes.push(this.#set(parsed.kind, parsed.id, change.value, modified))
    }
    this.#revision = batch.revision
    return changes
  }

  #set<K extends Kind>(kind: K, id: string, value: string | undefined, modified: number): ObjectChange {
    const table = this.#tables[kind] as Map<string, Kinds[K]>
    const before = table.get(id)
    const after = value === undefined ? undefined : decode<K>(kind, value, modified)
    if (after) table.set(id, after)
    else table.delete(id)
    const change = { kind, id, before, after } as ObjectChange
    this.#index(change)
    return change
  }

  #index(change: ObjectChange): void {
    if (change.kind === 'task') {
      this.#byService.update(change)
      this.#byNode.update(change)
    } else if (change.kind === 'service') this.#byNetwork.update(change)
  }

  #release(): void {
    if (this.#waiting.length === 0) return
    const due = this.#waiting.filter(({ revision }) => revision <= this.#revision)
    this.#waiting = this.#waiting.filter(({ revision }) => revision > this.#revision)
    for (const { resolve } of due) resolve()
  }
}

/** Objects under keys that are read off them. Keeps the order in which objects came under a key. */
class Index<T extends { ID: string }> {
  readonly #groups = new Map<string, Map<string, T>>()
  readonly #keys: (object: T) => string[]

  constructor(keys: (object: T) => string[]) {
    this.#keys = keys
  }

  of(key: string): Iterable<T> {
    return this.#groups.get(key)?.values() ?? []
  }

  update({ before, after }: { before?: T | undefined; after?: T | undefined }): void {
    const keys = after ? this.#keys(after) : []
    for (const key of before ? this.#keys(before) : []) {
      if (!keys.includes(key)) this.#remove(key, before!.ID)
    }
    for (const key of keys) {
      const group = this.#groups.get(key)
      if (group) group.set(after!.ID, after!)
      else this.#groups.set(key, new Map([[after!.ID, after!]]))
    }
  }

  #remove(key: string, id: string): void {
    const group = this.#groups.get(key)
    group?.delete(id)
    if (group?.size === 0) this.#groups.delete(key)
  }
}

function networksOf(service: Service): string[] {
  return (service.Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target)
}

function decode<K extends Kind>(kind: K, value: string, modified: number): Kinds[K] {
  const object = JSON.parse(value) as Kinds[K] & { Version?: { Index: number } }
  if (kind !== 'claim') object.Version = { Index: modified }
  return object
}

/** The node, service or network with this id, name or unique beginning of an id; several where it is ambiguous. */
export function findByRef<K extends 'node' | 'service' | 'network'>(
  view: View,
  kind: K,
  ref: string,
): Kinds[K][] {
  const exact = view.get(kind, ref)
  if (exact) return [exact]
  const objects = [...view.all(kind)]
  const named = objects.filter((object) => nameOf(kind, object) === ref)
  return named.length > 0 || ref === '' ? named : objects.filter((object) => object.ID.startsWith(ref))
}

function nameOf(kind: Kind, object: Node | Service | Network): string | undefined {
  if (kind === 'node') return (object as Node).Description?.Hostname
  if (kind === 'service') return (object as Service).Spec.Name
  return (object as Network).Name
}
