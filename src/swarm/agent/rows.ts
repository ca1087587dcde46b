/**
 * The rows that this node was sent, by kind and by network.
 */
import type { EndpointRow, NetworkRow, NodeRow, RowChanges, Rows, ServiceRow, TaskRow } from '../wire/rows.ts'

/** What a change touched. */
export interface Touched {
  tasks: Set<string>
  networks: boolean
}

interface NetworkRows {
  network?: NetworkRow
  endpoints: Map<string, EndpointRow>
  services: Map<string, ServiceRow>
  nodes: Map<string, NodeRow>
}

export class NodeRows {
  readonly tasks = new Map<string, TaskRow>()
  readonly templates = new Map<string, Rows['template']>()
  readonly networks = new Map<string, NetworkRows>()
  revision = 0

  /** Replaces everything. */
  reset(): Touched {
    const tasks = new Set(this.tasks.keys())
    this.tasks.clear()
    this.templates.clear()
    this.networks.clear()
    return { tasks, networks: true }
  }

  apply(revision: number, { put, drop }: RowChanges): Touched {
    const touched: Touched = { tasks: new Set(), networks: false }
    for (const [key, row] of put) this.#set(key, row, touched)
    for (const key of drop) this.#set(key, undefined, touched)
    this.revision = revision
    return touched
  }

  /** All rows, as changes that make them from nothing. */
  snapshot(): RowChanges {
    const put: RowChanges['put'] = []
    for (const [id, row] of this.templates) put.push([`template/${id}`, row])
    for (const [id, row] of this.tasks) put.push([`task/${id}`, row])
    for (const [id, { network, endpoints, services, nodes }] of this.networks) {
      if (network) put.push([`network/${id}`, network])
      for (const [task, row] of endpoints) put.push([`endpoint/${id}/${task}`, row])
      for (const [service, row] of services) put.push([`service/${id}/${service}`, row])
      for (const [node, row] of nodes) put.push([`node/${id}/${node}`, row])
    }
    return { put, drop: [] }
  }

  #set(key: string, row: unknown, touched: Touched): void {
    const [kind, id = '', member = ''] = key.split('/')
    switch (kind) {
      case 'task':
        touched.tasks.add(id)
        set(this.tasks, id, row as TaskRow | undefined)
        return
      case 'template':
        set(this.templates, id, row as Rows['template'] | undefined)
        return
      case 'network':
        // A network that goes takes its rows along: the manager doesn't name them one by one.
        if (row) this.#network(id).network = row as NetworkRow
        else this.networks.delete(id)
        break
      case 'endpoint':
        set(this.#network(id).endpoints, member, row as EndpointRow | undefined)
        break
      case 'service':
        set(this.#network(id).services, member, row as ServiceRow | undefined)
        break
      case 'node':
        set(this.#network(id).nodes, member, row as NodeRow | undefined)
        break
      default:
        // A kind that a newer manager knows.
        return
    }
    touched.networks = true
  }

  #network(id: string): NetworkRows {
    let rows = this.networks.get(id)
    if (!rows) {
      rows = { endpoints: new Map(), services: new Map(), nodes: new Map() }
      this.networks.set(id, rows)
    }
    return rows
  }
}

function set<T>(map: Map<string, T>, id: string, row: T | undefined): void {
  if (row === undefined) map.delete(id)
  else map.set(id, row)
}
