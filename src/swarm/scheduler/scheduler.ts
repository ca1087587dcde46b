/**
 * Gives tasks their nodes. Knows the state by the changes that it is told of; decides without effects (plan),
 * then writes (commit). A decision that could not be written, since the task changed meanwhile, is forgotten:
 * the change itself brings the task back if it still needs a node.
 */
import { causeChain } from '../../shared/errors.ts'
import type { Clock, Context, Log } from '../context.ts'
import type { Database } from '../store/database.ts'
import { compareStates, isOver, type Task } from '../store/objects/task.ts'
import type { ObjectChange, View } from '../store/replica.ts'
import { explainRefusals, hasRoom, loadOf, type Request, refusalOf, requestOf } from './filters.ts'
import { NodeInfo } from './node-info.ts'
import { spreadCandidates } from './spread.ts'

export type Decision =
  | { do: 'assign'; taskId: string; nodeId: string }
  | { do: 'explain'; taskId: string; why: string }

const decisionsPerTransaction = 200

export class Scheduler {
  readonly #view: View
  readonly #clock: Clock
  readonly #log: Log
  readonly #infos = new Map<string, NodeInfo>()
  readonly #pending = new Set<string>()
  /** Where each task counts, by decision or by its row. */
  readonly #placed = new Map<string, string>()
  #hasNews = false

  constructor(view: View, { clock, log }: Pick<Context, 'clock' | 'log'>) {
    this.#view = view
    this.#clock = clock
    this.#log = log
    for (const node of view.all('node')) this.#infos.set(node.ID, new NodeInfo(node))
    for (const task of view.all('task')) this.#place(task.ID, task)
    this.#hasNews = this.#pending.size > 0
  }

  /** True when something changed since the last plan that may give a waiting task its node. */
  get hasWork(): boolean {
    return this.#hasNews && this.#pending.size > 0
  }

  apply(changes: ObjectChange[]): void {
    for (const change of changes) {
      if (change.kind === 'node') this.#applyNode(change.id, change.after)
      else if (change.kind === 'task') this.#applyTask(change)
    }
  }

  /** Decisions for all tasks that wait. They count as placed from now on. */
  plan(): Decision[] {
    this.#hasNews = false
    const tasks = [...this.#pending].flatMap((id) => this.#view.get('task', id) ?? [])
    const groups = Map.groupBy(tasks, (task) => `${task.ServiceID}/${task.TemplateID}/${task.NodeID}`)
    return [...groups.values()].flatMap((group) => this.#tryGroup(group))
  }

  /** A group that can't be planned must not keep the others from it. */
  #tryGroup(tasks: Task[]): Decision[] {
    try {
      return this.#planGroup(tasks)
    } catch (error) {
      const serviceId = tasks[0]?.ServiceID
      this.#log.error({ serviceId, causes: causeChain(error) }, 'tasks could not be placed')
      for (const task of tasks) this.#place(task.ID, task)
      return []
    }
  }

  async commit(database: Database, decisions: Decision[]): Promise<void> {
    for (let i = 0; i < decisions.length; i += decisionsPerTransaction) {
      const batch = decisions.slice(i, i + decisionsPerTransaction)
      await database.transact((draft) => {
        for (const decision of batch) {
          const task = draft.get('task', decision.taskId)
          if (!task || !isWaiting(task)) continue
          const status = { ...task.Status, Timestamp: draft.now }
          if (decision.do === 'explain') {
            if (task.Status.Err !== decision.why)
              draft.put('task', { ...task, Status: { ...status, Err: decision.why } })
            continue
          }
          const Status = {
            Timestamp: draft.now,
            State: 'assigned' as const,
            Message: 'scheduler assigned task to node',
          }
          draft.put('task', { ...task, NodeID: decision.nodeId, Status })
        }
      })
    }
  }

  #planGroup(tasks: Task[]): Decision[] {
    const [first] = tasks as [Task]
    const template = this.#view.get('template', first.TemplateID)
    if (!template) return []
    const request = requestOf(template, first.ServiceID)
    const infos =
      first.NodeID === '' ? [...this.#infos.values()] : [this.#infos.get(first.NodeID) ?? []].flat()
    const refusals: string[] = []
    const possible = infos.filter((info) => {
      const refusal = refusalOf(info, request)
      if (refusal !== undefined) refusals.push(refusal)
      return refusal === undefined
    })
    const taken = this.#distribute(tasks, possible, request)
    const unplaced = tasks.filter((task) => !taken.has(task.ID))
    // Nodes that let the first tasks through may be full by now.
    for (const info of unplaced.length > 0 ? possible : []) refusals.push(refusalOf(info, request) ?? 'full')
    const why = explainRefusals(refusals)
    return tasks.map((task): Decision => {
      const nodeId = taken.get(task.ID)
      if (nodeId === undefined) return { do: 'explain', taskId: task.ID, why }
      return { do: 'assign', taskId: task.ID, nodeId }
    })
  }

  #distribute(tasks: Task[], possible: NodeInfo[], request: Request): Map<string, string> {
    const taken = new Map<string, string>()
    const descriptors = (request.template.Spec.Placement?.Preferences ?? []).flatMap(
      ({ Spread }) => Spread?.SpreadDescriptor ?? [],
    )
    const nodes = spreadCandidates(possible, request.load.serviceId, descriptors, this.#clock.now())
    for (const task of tasks) {
      let info = nodes.take()
      while (info && !hasRoom(info, request)) info = nodes.take()
      if (!info) break
      taken.set(task.ID, info.node.ID)
      info.add(task.ID, request.load)
      this.#placed.set(task.ID, info.node.ID)
      this.#pending.delete(task.ID)
      nodes.putBack(info)
    }
    return taken
  }

  #applyNode(id: string, node: NodeInfo['node'] | undefined): void {
    this.#hasNews = true
    const info = this.#infos.get(id)
    if (!node) this.#infos.delete(id)
    else if (info) info.node = node
    else {
      const made = new NodeInfo(node)
      this.#infos.set(id, made)
      for (const task of this.#view.tasksOn(id)) this.#place(task.ID, task)
    }
  }

  #applyTask({ id, before, after }: Extract<ObjectChange, { kind: 'task' }>): void {
    const ended = after && before && isOver(after.Status.State) && !isOver(before.Status.State)
    if (ended && (after.Status.State === 'failed' || after.Status.State === 'rejected')) {
      this.#infos.get(after.NodeID)?.noteFailure(after, this.#clock.now())
    }
    if (!after || ended || (isWaiting(after) && !this.#pending.has(id))) this.#hasNews = true
    this.#place(id, after)
  }

  /** Counts the task where its row says, and nowhere else. */
  #place(id: string, task: Task | undefined): void {
    const old = this.#placed.get(id)
    if (old !== undefined) this.#infos.get(old)?.remove(id)
    this.#placed.delete(id)
    this.#pending.delete(id)
    if (!task || isOver(task.Status.State)) return
    if (isWaiting(task)) this.#pending.add(id)
    else if (task.NodeID !== '') {
      const template = this.#view.get('template', task.TemplateID)
      if (!template) return
      const active = compareStates(task.DesiredState, 'running') <= 0
      this.#infos.get(task.NodeID)?.add(id, { ...loadOf(template, task.ServiceID), active })
      this.#placed.set(id, task.NodeID)
    }
  }
}

function isWaiting(task: Task): boolean {
  return task.Status.State === 'pending' && compareStates(task.DesiredState, 'running') <= 0
}
