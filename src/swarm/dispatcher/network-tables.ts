/**
 * For each network all rows that hosts with tasks on it need, kept up by changes. They are the same for all
 * those hosts, so that a change is worked out, and made into text, once.
 */
import type { Task } from '../store/objects/task.ts'
import type { ObjectChange, View } from '../store/replica.ts'
import { type RowChanges, type Rows, rowKey } from '../wire/rows.ts'
import { endpointRow, networkRow, nodeRow, serviceRow } from './row-of.ts'

type Row = Rows['network' | 'endpoint' | 'service' | 'node']

export class NetworkTables {
  readonly #view: View
  readonly #tables = new Map<string, Map<string, Row>>()
  /** Networks on which each task has a row. */
  readonly #networksOfTask = new Map<string, string[]>()
  readonly #dirtyTasks = new Set<string>()
  readonly #dirtyServices = new Set<string>()
  readonly #dirtyNodes = new Set<string>()
  readonly #dirtyNetworks = new Set<string>()

  constructor(view: View) {
    this.#view = view
    for (const network of view.all('network')) this.#dirtyNetworks.add(network.ID)
    for (const service of view.all('service')) this.#dirtyServices.add(service.ID)
    for (const node of view.all('node')) this.#dirtyNodes.add(node.ID)
    for (const task of view.all('task')) this.#dirtyTasks.add(task.ID)
    this.flush()
  }

  apply(change: ObjectChange): void {
    switch (change.kind) {
      case 'task':
        this.#dirtyTasks.add(change.id)
        break
      case 'service':
        this.#dirtyServices.add(change.id)
        break
      case 'network':
        this.#dirtyNetworks.add(change.id)
        break
      case 'node':
        this.#applyNode(change)
        break
      default:
        break
    }
  }

  /** All rows of a network. */
  rowsOf(networkId: string): RowChanges['put'] {
    return [...(this.#tables.get(networkId) ?? [])]
  }

  /** Brings the tables up to the view; what changed since the last time, by network. */
  flush(): Map<string, RowChanges> {
    const changes = new Map<string, RowChanges>()
    const set = (networkId: string, key: string, row: Row | undefined) =>
      this.#set(changes, networkId, key, row)
    for (const id of this.#dirtyNetworks) this.#flushNetwork(id, set)
    for (const id of this.#dirtyServices) {
      for (const network of this.#view.all('network')) {
        const service = this.#view.get('service', id)
        set(network.ID, rowKey.service(network.ID, id), service && serviceRow(service, network))
      }
    }
    for (const id of this.#dirtyNodes) {
      for (const network of this.#view.all('network')) {
        const node = this.#view.get('node', id)
        if (network.Ingress) set(network.ID, rowKey.node(network.ID, id), node && nodeRow(node, network))
      }
    }
    for (const id of this.#dirtyTasks) this.#flushTask(id, set)
    for (const dirty of [this.#dirtyNetworks, this.#dirtyServices, this.#dirtyNodes, this.#dirtyTasks])
      dirty.clear()
    return changes
  }

  #applyNode({ id, before, after }: Extract<ObjectChange, { kind: 'node' }>): void {
    this.#dirtyNodes.add(id)
    // A node writes its row often; its tasks' rows show its address and whether it is down, and no more.
    const isSame =
      before?.DataPathAddr === after?.DataPathAddr &&
      (before?.Status.State === 'down') === (after?.Status.State === 'down')
    if (!isSame || !after) for (const task of this.#view.tasksOn(id)) this.#dirtyTasks.add(task.ID)
  }

  #flushNetwork(id: string, set: (networkId: string, key: string, row: Row | undefined) => void): void {
    const network = this.#view.get('network', id)
    set(id, rowKey.network(id), network && networkRow(this.#view, network))
    if (!network) {
      this.#tables.delete(id)
      return
    }
    for (const service of this.#view.all('service')) this.#dirtyServices.add(service.ID)
    if (network.Ingress) for (const node of this.#view.all('node')) this.#dirtyNodes.add(node.ID)
  }

  #flushTask(id: string, set: (networkId: string, key: string, row: Row | undefined) => void): void {
    const task: Task | undefined = this.#view.get('task', id)
    const networks = (task?.Attachments ?? []).map(({ NetworkID }) => NetworkID)
    for (const networkId of new Set([...networks, ...(this.#networksOfTask.get(id) ?? [])])) {
      set(networkId, rowKey.endpoint(networkId, id), task && endpointRow(this.#view, task, networkId))
    }
    if (networks.length > 0) this.#networksOfTask.set(id, networks)
    else this.#networksOfTask.delete(id)
  }

  #set(changes: Map<string, RowChanges>, networkId: string, key: string, row: Row | undefined): void {
    let table = this.#tables.get(networkId)
    const old = table?.get(key)
    if (row === undefined ? old === undefined : JSON.stringify(row) === JSON.stringify(old)) return
    if (!table) {
      table = new Map()
      this.#tables.set(networkId, table)
    }
    let change = changes.get(networkId)
    if (!change) {
      change = { put: [], drop: [] }
      changes.set(networkId, change)
    }
    if (row === undefined) {
      table.delete(key)
      change.drop.push(key)
    } else {
      table.set(key, row)
      change.put.push([key, row])
    }
  }
}
