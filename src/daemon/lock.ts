import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { bootId, startTimeOf } from '../engine/kernel/process.ts'
import { errnoOf, failures } from '../shared/errors.ts'

const fail = failures({
  E_ENGINE_RUNS: {
    kind: 'user',
    exit: 1,
    text: (p: { path: string; pid: number }) => `another engine (pid ${p.pid}) has this data root: ${p.path}`,
    next: () => 'stop it, or give this one a --data-root of its own',
  },
} as const)

/**
 * Takes a data root for this process. A lock whose process is gone, or from before the last boot, does not count.
 * @returns the release
 * @throws E_ENGINE_RUNS
 */
export function lockEngine(path: string): () => void {
  const holder = readHolder(path)
  if (holder && holder.bootId === bootId() && startTimeOf(holder.pid) === holder.startTime) {
    throw fail('E_ENGINE_RUNS', { path, pid: holder.pid })
  }
  const own = { pid: process.pid, startTime: startTimeOf(process.pid), bootId: bootId() }
  writeFileSync(path, JSON.stringify(own), { mode: 0o600 })
  return () => rmSync(path, { force: true })
}

function readHolder(path: string): { pid: number; startTime: number; bootId: string } | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { pid: number; startTime: number; bootId: string }
  } catch (error) {
    // No lock, or one that was cut short by a crash: nobody holds it.
    if (errnoOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}
