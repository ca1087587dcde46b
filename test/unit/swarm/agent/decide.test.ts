import { describe, expect, it } from 'vitest'
import { decide } from '../../../../src/swarm/agent/decide.ts'
import type { ContainerState } from '../../../../src/swarm/agent/engine.ts'
import { type TaskState, taskStates } from '../../../../src/swarm/store/objects/task.ts'
import type { TaskRow } from '../../../../src/swarm/wire/rows.ts'

const row = (DesiredState: TaskState, State: TaskState = 'assigned') => ({ DesiredState, State }) as TaskRow
const status = (State: TaskState) => ({ Timestamp: '', State })
const container = (state: ContainerState['state'], more: Partial<ContainerState> = {}): ContainerState => ({
  id: 'c',
  labels: {},
  state,
  ...more,
})
const next = (...args: Parameters<typeof decide>) => {
  const { do: what, ...rest } = decide(...args) as { do: string; state?: TaskState; err?: string }
  return [what, rest.state, rest.err].filter((part) => part !== undefined)
}

describe('a task on its node', () => {
  it('is prepared, started and reported in this order', () => {
    expect(next(row('running'), status('accepted'), undefined)).toEqual(['prepare'])
    expect(next(row('running'), status('ready'), container('created'))).toEqual(['start'])
    expect(next(row('running'), status('starting'), container('running'))).toEqual(['report', 'running'])
    expect(next(row('running'), status('running'), container('running'))).toEqual(['wait'])
  })

  it('waits, ready, until it should run', () => {
    expect(next(row('ready'), status('accepted'), undefined)).toEqual(['prepare'])
    expect(next(row('ready'), status('ready'), container('created'))).toEqual(['wait'])
  })

  it('runs only once it is healthy, where health is checked', () => {
    const is = (health: ContainerState['health']) => container('running', { health: health! })
    expect(next(row('running'), status('starting'), is('starting'))).toEqual(['wait'])
    expect(next(row('running'), status('starting'), is('healthy'))).toEqual(['report', 'running'])
    expect(next(row('running'), status('running'), is('unhealthy'))).toEqual([
      'stop',
      'failed',
      'task: unhealthy container',
    ])
  })

  it('ends as its container ends', () => {
    const exited = (exitCode: number, more = {}) => container('exited', { exitCode, ...more })
    expect(next(row('running'), status('running'), exited(0))).toEqual(['report', 'complete'])
    expect(next(row('running'), status('running'), exited(3))).toEqual([
      'report',
      'failed',
      'task: non-zero exit (3)',
    ])
    expect(next(row('running'), status('starting'), exited(137, { oomKilled: true }))).toEqual([
      'report',
      'failed',
      'task: non-zero exit (137): out of memory',
    ])
    expect(next(row('running'), status('running'), undefined)).toEqual([
      'report',
      'failed',
      'the container is gone',
    ])
  })

  it('is stopped when it is not wanted any more, and is over at once where nothing runs', () => {
    for (const desired of ['shutdown', 'remove'] as const) {
      expect(next(row(desired), status('running'), container('running'))).toEqual(['stop', 'shutdown'])
      expect(next(row(desired), status('ready'), container('created'))).toEqual(['report', 'shutdown'])
      expect(next(row(desired), status('accepted'), undefined)).toEqual(['report', 'shutdown'])
    }
  })

  it('is never begun anew once it is over, or the manager knows that it ran', () => {
    for (const state of ['complete', 'shutdown', 'failed', 'rejected'] as const) {
      expect(next(row('running'), status(state), undefined)).toEqual(['wait'])
    }
    expect(next(row('running', 'running'), status('accepted'), undefined)).toEqual([
      'report',
      'failed',
      'the container is gone',
    ])
  })

  it('is taken up from its container when the record of it was lost', () => {
    expect(next(row('running', 'running'), status('accepted'), container('running'))).toEqual([
      'report',
      'starting',
    ])
    expect(next(row('running', 'ready'), status('accepted'), container('created'))).toEqual([
      'report',
      'ready',
    ])
    expect(next(row('running', 'running'), status('accepted'), container('exited', { exitCode: 0 }))).toEqual(
      ['report', 'complete'],
    )
  })

  it('is removed, then forgotten, when the manager has forgotten it, whatever its state', () => {
    for (const state of taskStates) {
      expect(next(undefined, status(state), container('running'))).toEqual(['remove'])
      expect(next(undefined, status(state), undefined)).toEqual(['forget'])
    }
  })

  it('never reports a state that lies behind', () => {
    const containers = [
      undefined,
      container('created'),
      container('running'),
      container('exited', { exitCode: 1 }),
    ]
    for (const desired of ['ready', 'running', 'shutdown', 'remove'] as const) {
      for (const state of taskStates) {
        for (const one of containers) {
          const action = decide(row(desired), status(state), one)
          if (action.do !== 'report') continue
          expect([state, action.state, taskStates.indexOf(action.state) > taskStates.indexOf(state)]).toEqual(
            [state, action.state, true],
          )
        }
      }
    }
  })
})
