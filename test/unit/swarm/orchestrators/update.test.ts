import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { UpdateConfig } from '../../../../src/swarm/store/objects/service.ts'
import { SwarmState } from '../../../support/swarm-state.ts'

let state: SwarmState
beforeEach(async () => {
  state = await SwarmState.make(3)
  state.startLoop()
})
afterEach(() => state.close())

const set = (version: number, UpdateConfig: UpdateConfig, Replicas = 4) =>
  state.setService('web', { Mode: { Replicated: { Replicas } }, UpdateConfig }, { ForceUpdate: version })
const status = () => state.view.get('service', 'web')?.UpdateStatus
const isNew = () => {
  const { TemplateID } = state.view.get('service', 'web')!
  return state.running().map((task) => task.TemplateID === TemplateID)
}
const fresh = () => isNew().filter(Boolean).length

describe('an update', () => {
  it('stops and starts one task after another, and says when it is done', async () => {
    await set(1, {})
    await state.converge()
    await set(2, {})
    await state.settle()
    expect(status()).toMatchObject({ State: 'updating', Message: 'update in progress' })
    const counts: number[] = []
    for (let i = 0; i < 20 && fresh() < 4; i++) {
      counts.push(state.running().length)
      await state.act()
      await state.settle()
    }
    expect(Math.min(...counts)).toBe(3)
    expect(isNew()).toEqual([true, true, true, true])
    expect(status()?.State).toBe('updating')
    state.clock.advance(5000)
    await state.converge()
    expect(status()).toMatchObject({ State: 'completed', Message: 'update completed' })
    expect(status()?.CompletedAt).toBeDefined()
  })

  it('never has fewer tasks than before when it starts first', async () => {
    await set(1, { Order: 'start-first' })
    await state.converge()
    await set(2, { Order: 'start-first' })
    const counts: number[] = []
    for (let i = 0; i < 20; i++) {
      await state.settle()
      counts.push(state.running().length)
      await state.act()
    }
    await state.converge()
    expect(Math.min(...counts)).toBe(4)
    expect(Math.max(...counts)).toBeLessThanOrEqual(5)
    expect(isNew()).toEqual([true, true, true, true])
  })

  it.each([
    [2, 2],
    [3, 3],
    [0, 4],
  ])('with parallelism %i replaces %i at once', async (Parallelism, expected) => {
    await set(1, {})
    await state.converge()
    await set(2, { Parallelism })
    await state.settle()
    expect(state.running()).toHaveLength(4 - expected)
  })

  it('pauses between two tasks', async () => {
    await set(1, {}, 2)
    await state.converge()
    await set(2, { Delay: 10e9 }, 2)
    await state.converge()
    expect(fresh()).toBe(1)
    state.clock.advance(9900)
    await state.converge()
    expect(fresh()).toBe(1)
    state.clock.advance(200)
    await state.converge()
    expect(fresh()).toBe(2)
  })

  it('stops at the first failure, and says which', async () => {
    await set(1, {})
    await state.converge()
    await set(2, {})
    await state.converge([])
    for (const task of state.tasks())
      if (task.DesiredState === 'shutdown') await state.report(task.ID, 'shutdown')
    await state.settle()
    const first = state
      .tasks()
      .find((task) => task.TemplateID === state.view.get('service', 'web')!.TemplateID)!
    await state.report(first.ID, 'failed')
    await state.converge()
    expect(status()).toMatchObject({
      State: 'paused',
      Message: `update paused due to failure or early termination of task ${first.ID}`,
    })
    expect(fresh()).toBeLessThan(2)
  })

  it('goes on over failures when it is told to', async () => {
    await set(1, {})
    await state.converge()
    await set(2, { FailureAction: 'continue', Parallelism: 0 })
    await state.converge()
    const first = state.running()[0]!
    await state.report(first.ID, 'failed')
    await state.converge()
    state.clock.advance(10_000)
    await state.converge()
    expect(isNew()).toEqual([true, true, true, true])
    expect(status()?.State).toBe('completed')
  })

  it('goes back to the old spec when it is told to, and finds its tasks still right', async () => {
    await set(1, { FailureAction: 'rollback' })
    await state.converge()
    const before = state.view.get('service', 'web')!.TemplateID
    await set(2, { FailureAction: 'rollback' })
    await state.converge([])
    for (const task of state.tasks())
      if (task.DesiredState === 'shutdown') await state.report(task.ID, 'shutdown')
    await state.settle()
    const failed = state.tasks().at(-1)!
    await state.report(failed.ID, 'rejected')
    await state.settle()
    expect(status()?.State).toBe('rollback_started')
    await state.converge()
    state.clock.advance(5000)
    await state.converge()
    expect(status()?.State).toBe('rollback_completed')
    expect(state.view.get('service', 'web')!.TemplateID).toBe(before)
    expect(isNew()).toEqual([true, true, true, true])
  })

  it('leaves tasks alone that the change does not concern', async () => {
    await set(1, {})
    await state.converge()
    const before = state.running().map((task) => task.ID)
    await state.setService(
      'web',
      { Mode: { Replicated: { Replicas: 4 } }, Labels: { a: 'b' } },
      { ForceUpdate: 1 },
    )
    await state.setService(
      'web',
      { Mode: { Replicated: { Replicas: 4 } } },
      { ForceUpdate: 1, Placement: { Constraints: ['node.hostname!=n9'] } },
    )
    await state.converge()
    expect(state.running().map((task) => task.ID)).toEqual(before)
    expect(status()).toBeUndefined()
  })

  it('moves those that a new constraint forbids their node', async () => {
    await set(1, {}, 3)
    await state.converge()
    await state.setService(
      'web',
      { Mode: { Replicated: { Replicas: 3 } } },
      { ForceUpdate: 1, Placement: { Constraints: ['node.hostname!=n2'] } },
    )
    await state.converge()
    expect(
      state
        .running()
        .map((task) => task.NodeID)
        .sort(),
    ).not.toContain('n2')
    expect(state.running()).toHaveLength(3)
  })
})
