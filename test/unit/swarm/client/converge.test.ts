import { describe, expect, it } from 'vitest'
import { showConvergence } from '../../../../src/cli/service-progress.ts'
import type { EngineApi } from '../../../../src/swarm/client/api.ts'

/** A manager whose service has one task slot, and tasks as given. */
function apiWith(tasks: object[]): EngineApi {
  const answers: Record<string, unknown> = {
    '/services/s1': { Spec: { Name: 'web', Mode: { Replicated: { Replicas: 1 } } } },
    '/tasks': tasks,
    '/nodes': [],
  }
  return { get: async (path: string) => answers[path] } as unknown as EngineApi
}

describe('waiting for a service, without a terminal', () => {
  it.each([
    [{ Timestamp: '2', State: 'failed', Err: 'task: non-zero exit (1)' }, 'task: non-zero exit (1)'],
    [{ Timestamp: '2', State: 'complete' }, 'its command ends, with exit code 0'],
  ])('says after a while, once, what keeps it: %j', async (Status, why) => {
    const ended = { Slot: 1, DesiredState: 'shutdown', Status }
    const next = { Slot: 1, DesiredState: 'ready', Status: { Timestamp: '3', State: 'ready' } }
    const lines: string[] = []
    const shown = showConvergence(apiWith([ended, next]), [{ id: 's1', name: 'web' }], {
      timeoutMs: 700,
      isRollback: false,
      isTerminal: false,
      write: (line) => void lines.push(line),
      explainAfterMs: 100,
    })
    await expect(shown).rejects.toMatchObject({ code: 'E_NOT_CONVERGED' })
    expect(lines).toEqual([`web: 0/1 running: ${why}`])
  })
})
