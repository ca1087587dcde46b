/**
 * What each node should know, and what changed of it: its tasks, their templates, and the rows of the
 * networks that they are on (and of the ingress network, which is everywhere).
 */
import { ingressNetwork } from '../allocator/tasks.ts'
import { isOver, type Task } from '../store/objects/task.ts'
import type { ObjectChange, View } from '../store/replica.ts'
import { type RowChanges, rowKey } from '../wire/rows.ts'
import { NetworkTables } from './network-tables.ts'
import { isAssigned, taskRow, templateRow } from './row-of.ts'

/** What a node has been told. */
interface Told {
  /** Task -> the part of its row that can change. */
  tasks: Map<string, string>
  templates: Set<string>
  networks: Set<string>
}

export class Assignments {
  readonly #view: View
  readonly #tables: NetworkTables
  readonly #told = new Map<string, Told>()
  /** Nodes that are told, with their tasks that changed. */
  readonly #dirty = new Map<string, Set<string>>()
  #networksChanged = false

  constructor(view: View) {
    this.#view = view
    this.#tables = new NetworkTables(view)
  }

  apply(changes: ObjectChange[]): void {
    for (const change of changes) {
      this.#tables.apply(change)
      if (change.kind === 'network') this.#networksChanged = true
      if (change.kind !== 'task') continue
      this.#soil(change.before?.NodeID, change.id)
      this.#soil(change.after?.NodeID, change.id)
    }
  }

  /** Begins to tell a node: everything, as changes that make it from nothing. Flush before. */
  open(nodeId: string): RowChanges {
    const told: Told = { tasks: new Map(), templates: new Set(), networks: new Set() }
    this.#told.set(nodeId, told)
    this.#dirty.delete(nodeId)
    const changes: RowChanges = { put: [], drop: [] }
    const tasks = [...this.#view.tasksOn(nodeId)].map((task) => task.ID)
    this.#tell(nodeId, told, tasks, changes, new Map())
    return changes
  }

  close(nodeId: string): void {
    this.#told.delete(nodeId)
    this.#dirty.delete(nodeId)
  }

  /** What changed since the last time, for each node that has to hear of something. */
  flush(): Map<string, RowChanges> {
    const networks = this.#tables.flush()
    const all = new Map<string, RowChanges>()
    const everybody = this.#networksChanged || networks.size > 0
    this.#networksChanged = false
    const nodes = everybody ? [...this.#told.keys()] : [...this.#dirty.keys()]
    for (const nodeId of nodes) {
      const told = this.#told.get(nodeId)
      if (!told) continue
      const changes: RowChanges = { put: [], drop: [] }
      this.#tell(nodeId, told, [...(this.#dirty.get(nodeId) ?? [])], changes, networks)
      if (changes.put.length + changes.drop.length > 0) all.set(nodeId, changes)
    }
    this.#dirty.clear()
    return all
  }

  #soil(nodeId: string | undefined, taskId: string): void {
    if (!nodeId || !this.#told.has(nodeId)) return
    const tasks = this.#dirty.get(nodeId)
    if (tasks) tasks.add(taskId)
    else this.#dirty.set(nodeId, new Set([taskId]))
  }

  /** Networks first, so that a task's network is known when the task is. */
  #tell(
    nodeId: string,
    told: Told,
    taskIds: string[],
    changes: RowChanges,
    networks: Map<string, RowChanges>,
  ): void {
    if (taskIds.length > 0 || networks.size > 0 || told.networks.size === 0) {
      this.#tellNetworks(nodeId, told, changes, networks)
    }
    for (const id of taskIds) this.#tellTask(nodeId, told, id, changes)
    if (taskIds.length > 0) this.#dropTemplates(told, changes)
  }

  #tellTask(nodeId: string, told: Told, id: string, changes: RowChanges): void {
    const task = this.#view.get('task', id)
    if (!task || task.NodeID !== nodeId || !isAssigned(task)) {
      if (told.tasks.delete(id)) changes.drop.push(rowKey.task(id))
      return
    }
    // Of all that a task's row says only this changes while it is on a node; the rest it reported itself.
    if (told.tasks.get(id) === task.DesiredState) return
    told.tasks.set(id, task.DesiredState)
    const template = this.#view.get('template', task.TemplateID)
    if (template && !told.templates.has(template.ID)) {
      told.templates.add(template.ID)
      changes.put.push([rowKey.template(template.ID), templateRow(template)])
    }
    changes.put.push([rowKey.task(id), taskRow(this.#view, task)])
  }

  #tellNetworks(nodeId: string, told: Told, changes: RowChanges, changed: Map<string, RowChanges>): void {
    const wanted = this.#networksFor(nodeId)
    for (const id of told.networks) {
      if (wanted.has(id)) continue
      told.networks.delete(id)
      changes.drop.push(rowKey.network(id))
    }
    for (const id of wanted) {
      if (!told.networks.has(id)) {
        told.networks.add(id)
        changes.put.push(...this.#tables.rowsOf(id))
        continue
      }
      const change = changed.get(id)
      if (!change) continue
      changes.put.push(...change.put)
      changes.drop.push(...change.drop)
    }
  }

  #networksFor(nodeId: string): Set<string> {
    const networks = new Set<string>()
    const ingress = ingressNetwork(this.#view)
    if (ingress) networks.add(ingress.ID)
    for (const task of this.#view.tasksOn(nodeId)) {
      if (!isThere(task)) continue
      for (const { NetworkID } of task.Attachments ?? []) {
        if (this.#view.get('network', NetworkID)) networks.add(NetworkID)
      }
    }
    return networks
  }

  #dropTemplates(told: Told, changes: RowChanges): void {
    const used = new Set([...told.tasks.keys()].map((id) => this.#view.get('task', id)?.TemplateID))
    for (const id of told.templates) {
      if (used.has(id)) continue
      told.templates.delete(id)
      changes.drop.push(rowKey.template(id))
    }
  }
}

/** It has, or will have, a container that uses its addresses. */
function isThere(task: Task): boolean {
  return isAssigned(task) && !isOver(task.Status.State)
}
