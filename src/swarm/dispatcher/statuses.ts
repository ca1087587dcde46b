/**
 * What nodes report of their tasks -> the store. A task's state only moves forward; what would move it back,
 * or comes from a node that doesn't have the task, is dropped. Reports that come together are written together.
 */
import { releaseTask } from '../allocator/tasks.ts'
import type { Database } from '../store/database.ts'
import type { Draft } from '../store/draft.ts'
import { compareStates, isOver, type Task, type TaskStatus } from '../store/objects/task.ts'
import type { ReportedStatus } from '../wire/messages.ts'

const reportsPerTransaction = 200

export interface Report {
  nodeId: string
  statuses: ReportedStatus[]
}

export async function writeReports(database: Database, reports: Report[]): Promise<void> {
  const all = reports.flatMap(({ nodeId, statuses }) => statuses.map((status) => ({ nodeId, ...status })))
  for (let i = 0; i < all.length; i += reportsPerTransaction) {
    const batch = all.slice(i, i + reportsPerTransaction)
    await database.transact((draft) => {
      for (const { nodeId, ID, Status } of batch) writeStatus(draft, nodeId, ID, Status)
    })
  }
}

function writeStatus(draft: Draft, nodeId: string, taskId: string, reported: TaskStatus): void {
  const known = draft.view.get('task', taskId)
  if (!known || !isNews(known.Status, reported)) return
  const task = draft.get('task', taskId)
  if (!task || task.NodeID !== nodeId || !isNews(task.Status, reported)) return
  draft.put('task', { ...task, Status: reported })
  if (isOver(reported.State)) releaseTask(draft, task)
}

function isNews(known: Task['Status'], reported: TaskStatus): boolean {
  const order = compareStates(reported.State, known.State)
  if (order !== 0) return order > 0 && !isOver(known.State)
  return JSON.stringify(reported) !== JSON.stringify(known) && reported.Timestamp >= known.Timestamp
}
