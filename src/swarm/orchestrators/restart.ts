/**
 * Whether and when an ended task gets a successor. A pure function of the task: its history came along with it.
 */

import type { Restarts, Task } from '../store/objects/task.ts'
import type { RestartPolicy } from '../store/objects/task-spec.ts'

export type Restart = { again: false } | { again: true; delayMs: number; restarts: Restarts }

/** Without a delay of its own a service waits 0, 1, 2, 4... seconds, up to five minutes, while its tasks fail young. */
const firstBackoffMs = 1000
const longestBackoffMs = 300_000
/** A task that lived this long failed for a new reason. */
const oldAgeMs = 60_000

/** @param ended a task that is over, not by our own wish */
export function decideRestart(policy: RestartPolicy | undefined, ended: Task): Restart {
  const condition = policy?.Condition || 'any'
  if (condition === 'none') return { again: false }
  if (condition === 'on-failure' && ended.Status.State === 'complete') return { again: false }
  const before: Restarts = ended.Restarts ?? { Total: 0, Streak: 0 }
  const endedMs = Date.parse(ended.Status.Timestamp)
  if (isSpent(policy, before, endedMs)) return { again: false }
  const isYoung = endedMs - Date.parse(ended.CreatedAt) < oldAgeMs
  const streak = isYoung ? before.Streak + 1 : 1
  const delayMs = policy?.Delay === undefined ? backoffMs(streak) : policy.Delay / 1e6
  const restarts: Restarts = { Total: before.Total + 1, Streak: streak }
  if (policy?.Window && policy.MaxAttempts) {
    restarts.Times = [...(before.Times ?? []), new Date(endedMs).toISOString()].slice(-policy.MaxAttempts)
  }
  return { again: true, delayMs, restarts }
}

function isSpent(policy: RestartPolicy | undefined, restarts: Restarts, nowMs: number): boolean {
  if (!policy?.MaxAttempts) return false
  if (!policy.Window) return restarts.Total >= policy.MaxAttempts
  const since = nowMs - policy.Window / 1e6
  return (restarts.Times ?? []).filter((time) => Date.parse(time) > since).length >= policy.MaxAttempts
}

function backoffMs(streak: number): number {
  return streak <= 1 ? 0 : Math.min(firstBackoffMs * 2 ** (streak - 2), longestBackoffMs)
}
