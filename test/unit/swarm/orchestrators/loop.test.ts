import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Task } from '../../../../src/swarm/store/objects/task.ts'
import type { Transaction } from '../../../../src/swarm/store/store.ts'
import { SwarmState } from '../../../support/swarm-state.ts'

let state: SwarmState
beforeEach(async () => {
  state = await SwarmState.make(3)
  state.startLoop()
})
afterEach(() => state.close())

const perNode = (tasks: Task[]) => {
  const counts: Record<string, number> = {}
  for (const task of tasks) counts[task.NodeID] = (counts[task.NodeID] ?? 0) + 1
  return counts
}
const slots = (tasks: Task[]) => tasks.map((task) => task.Slot).sort((a, b) => a - b)
const replicas = (Replicas: number) => ({ Mode: { Replicated: { Replicas } } })

describe('a replicated service', () => {
  it('gets its replicas, spread over the nodes', async () => {
    await state.setService('web', replicas(6))
    await state.converge()
    expect(perNode(state.running())).toEqual({ n1: 2, n2: 2, n3: 2 })
    expect(slots(state.running())).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('scales up into new slots and down from the fullest nodes', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    const first = state.running().map((task) => task.ID)
    await state.setService('web', replicas(7))
    await state.converge()
    expect(state.running()).toHaveLength(7)
    expect(state.running().map((task) => task.ID)).toEqual(expect.arrayContaining(first))
    await state.setService('web', replicas(2))
    await state.converge()
    expect(state.tasks()).toHaveLength(2)
    expect(Object.values(perNode(state.running()))).toEqual([1, 1])
    await state.setService('web', replicas(0))
    await state.converge()
    expect(state.tasks()).toEqual([])
  })

  it('forgets its tasks once they have stopped when it is removed', async () => {
    await state.setService('web')
    await state.converge()
    await state.database.transact((draft) => draft.delete('service', 'web'))
    await state.settle()
    expect(state.tasks().map((task) => task.DesiredState)).toEqual(['remove', 'remove', 'remove'])
    await state.converge()
    expect(state.tasks()).toEqual([])
    expect([...state.view.all('template')]).toEqual([])
  })
})

describe('a task that fails', () => {
  it('is replaced in its slot at once the first time, then with a growing pause', async () => {
    await state.setService('web', replicas(1))
    await state.converge()
    const pauses: number[] = []
    for (let i = 0; i < 5; i++) {
      await state.report(state.running()[0]!.ID, 'failed')
      const began = state.clock.now()
      await state.converge()
      while (state.running().length === 0) {
        state.clock.advance(100)
        await state.converge()
      }
      pauses.push(state.clock.now() - began)
      expect(slots(state.running())).toEqual([1])
    }
    expect(pauses).toEqual([0, 1000, 2000, 4000, 8000])
  })

  it('is prepared while it waits for its time', async () => {
    await state.setService('web', replicas(1), { RestartPolicy: { Delay: 5e9 } })
    await state.converge()
    await state.report(state.running()[0]!.ID, 'failed')
    await state.converge()
    const next = state.tasks().at(-1)!
    expect([next.DesiredState, next.Status.State]).toEqual(['ready', 'ready'])
    state.clock.advance(4900)
    await state.converge()
    expect(state.running()).toEqual([])
    state.clock.advance(100)
    await state.converge()
    expect(state.running().map((task) => task.ID)).toEqual([next.ID])
  })

  it.each([
    ['none', 'failed', 0],
    ['none', 'complete', 0],
    ['on-failure', 'failed', 1],
    ['on-failure', 'complete', 0],
    ['any', 'complete', 1],
  ] as const)('with condition %s and state %s has %i successors', async (Condition, end, count) => {
    await state.setService('web', replicas(1), { RestartPolicy: { Condition, Delay: 0 } })
    await state.converge()
    await state.report(state.running()[0]!.ID, end)
    await state.converge()
    expect(state.running()).toHaveLength(count)
    // A slot that is done is not an empty slot.
    await state.setService('other')
    await state.converge()
    expect(state.tasks('web')).toHaveLength(1 + count)
  })

  it('is given up after so many attempts, in the whole or within a window', async () => {
    await state.setService('a', replicas(1), { RestartPolicy: { Delay: 0, MaxAttempts: 2 } })
    await state.setService('b', replicas(1), { RestartPolicy: { Delay: 0, MaxAttempts: 2, Window: 60e9 } })
    await state.converge()
    for (let i = 0; i < 4; i++) {
      for (const task of state.running()) await state.report(task.ID, 'failed')
      await state.converge()
      state.clock.advance(40_000)
    }
    expect(state.tasks('a')).toHaveLength(3)
    expect(state.running('a')).toHaveLength(0)
    expect(state.running('b')).toHaveLength(1)
  })

  it('leaves five tasks of history in its slot', async () => {
    await state.setService('web', replicas(1), { RestartPolicy: { Delay: 0 } })
    await state.converge()
    for (let i = 0; i < 9; i++) {
      await state.report(state.running()[0]!.ID, 'failed')
      await state.converge()
    }
    expect(state.tasks()).toHaveLength(5)
    expect(state.running()).toHaveLength(1)
  })
})

describe('a node that does not answer', () => {
  it('has its tasks replaced elsewhere at once', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    await state.setNodeState('n2', 'down')
    await state.converge()
    const live = state.running().filter((task) => task.NodeID !== 'n2')
    expect(slots(live)).toEqual([1, 2, 3])
    expect(state.running()).toHaveLength(4)
  })

  it('keeps its tasks when it is back, and the younger replacements stop', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    const first = state.running().map((task) => task.ID)
    await state.setNodeState('n2', 'down')
    await state.converge()
    await state.setNodeState('n2', 'ready')
    await state.converge()
    expect(state.running().map((task) => task.ID)).toEqual(first)
  })

  it('loses its tasks to the replacements when the service has changed meanwhile', async () => {
    await state.setService('web', { ...replicas(3), UpdateConfig: { Parallelism: 0 } })
    await state.converge()
    const old = state.running().find((task) => task.NodeID === 'n2')!
    await state.setNodeState('n2', 'down')
    await state.converge()
    await state.setService('web', { ...replicas(3), UpdateConfig: { Parallelism: 0 } }, { ForceUpdate: 1 })
    await state.converge()
    await state.setNodeState('n2', 'ready')
    await state.converge()
    expect(state.view.get('task', old.ID)?.Status.State).toBe('shutdown')
    expect(slots(state.running())).toEqual([1, 2, 3])
  })

  it('is given up with its tasks when it is removed from the swarm', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    const lost = state.running().find((task) => task.NodeID === 'n2')!
    await state.setNodeState('n2', 'down')
    await state.converge()
    await state.database.transact((draft) => draft.delete('node', 'n2'))
    await state.converge()
    expect(state.view.get('task', lost.ID)?.Status.State).toBe('orphaned')
    expect(slots(state.running())).toEqual([1, 2, 3])
  })
})

describe('a node that is drained', () => {
  const drain = () =>
    state.changeNode('n1', (node) => ({ ...node, Spec: { ...node.Spec, Availability: 'drain' } }))

  it('has its tasks stopped, then replaced elsewhere', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    await drain()
    await state.settle()
    expect(state.running()).toHaveLength(2)
    await state.converge()
    expect(perNode(state.running())).toEqual({ n2: expect.any(Number), n3: expect.any(Number) })
    expect(state.running()).toHaveLength(3)
  })

  it('keeps them until the others run when the service starts first', async () => {
    await state.setService('web', { ...replicas(3), UpdateConfig: { Order: 'start-first' } })
    await state.converge()
    await drain()
    await state.settle()
    expect(state.running()).toHaveLength(3)
    await state.converge()
    expect(state.running()).toHaveLength(3)
    expect(perNode(state.running()).n1).toBeUndefined()
  })

  it('gets nothing new while it is paused, and keeps what it has', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    await state.changeNode('n1', (node) => ({ ...node, Spec: { ...node.Spec, Availability: 'pause' } }))
    await state.setService('web', replicas(7))
    await state.converge()
    expect(perNode(state.running())).toEqual({ n1: 1, n2: 3, n3: 3 })
  })
})

describe('a global service', () => {
  const global = { Mode: { Global: {} } }

  it('has a task on each node, also on one that comes later', async () => {
    await state.setService('agent', global)
    await state.converge()
    expect(perNode(state.running())).toEqual({ n1: 1, n2: 1, n3: 1 })
    await state.addNode('n4')
    await state.converge()
    expect(perNode(state.running())).toEqual({ n1: 1, n2: 1, n3: 1, n4: 1 })
  })

  it('leaves nodes that are drained or do not meet its constraints any more', async () => {
    await state.setService('agent', global, { Placement: { Constraints: ['node.labels.x!=no'] } })
    await state.converge()
    await state.changeNode('n1', (node) => ({ ...node, Spec: { ...node.Spec, Availability: 'drain' } }))
    await state.changeNode('n2', (node) => ({ ...node, Spec: { ...node.Spec, Labels: { x: 'no' } } }))
    await state.converge()
    expect(perNode(state.running())).toEqual({ n3: 1 })
    expect(state.tasks()).toHaveLength(1)
  })

  it('restarts what fails on the same node', async () => {
    await state.setService('agent', global, { RestartPolicy: { Delay: 0 } })
    await state.converge()
    const failed = state.running().find((task) => task.NodeID === 'n2')!
    await state.report(failed.ID, 'failed')
    await state.converge()
    expect(perNode(state.running())).toEqual({ n1: 1, n2: 1, n3: 1 })
  })
})

describe('a step that can not be done', () => {
  it('does not keep the others from it', async () => {
    await state.setService('web', replicas(2))
    await state.setService('other', replicas(1))
    await state.converge()
    const [broken, sound] = state.running('web')
    await state.database.transact((draft) => {
      draft.put('task', { ...broken!, Status: { Timestamp: 'x', State: 'failed' } })
      draft.put('task', { ...sound!, Status: { Timestamp: draft.now, State: 'failed' } })
      const other = state.running('other')[0]!
      draft.put('task', { ...other, Status: { Timestamp: draft.now, State: 'failed' } })
    })
    await state.converge()
    expect(slots(state.running('web'))).toEqual([sound!.Slot])
    expect(slots(state.running('other'))).toEqual([1])
  })
})

describe('a store that fails once', () => {
  const kinds = ({ write }: Transaction) =>
    write.map((operation) => ('put' in operation ? operation.put : operation.delete).split('/')[0])
  /** Lets the loop meet the failure, then lets it try again. */
  const converge = async () => {
    await state.converge()
    expect(state.store.failures).toBe(1)
    state.clock.advance(500)
    await state.converge()
  }

  it('while tasks are placed leaves none of them without a node', async () => {
    state.store.failOnce(({ write }) =>
      write.some((operation) => 'put' in operation && operation.value.includes('"State":"assigned"')),
    )
    await state.setService('web', replicas(3))
    await converge()
    expect(slots(state.running())).toEqual([1, 2, 3])
  })

  it('while a removed service is put away leaves none of its tasks', async () => {
    await state.setService('web', replicas(3))
    await state.converge()
    await state.database.transact((draft) => draft.delete('service', 'web'))
    state.store.failOnce((transaction) => kinds(transaction).includes('task'))
    await converge()
    expect(state.tasks()).toEqual([])
  })

  it('while templates are thrown away leaves none of them', async () => {
    await state.setService('web', replicas(1))
    await state.converge()
    await state.database.transact((draft) => draft.delete('service', 'web'))
    state.store.failOnce(
      ({ write }) =>
        write.length > 0 && write.every((one) => 'delete' in one && one.delete.startsWith('template/')),
    )
    await converge()
    expect([...state.view.all('template')]).toEqual([])
  })

  it('is given time to breathe, whatever comes meanwhile', async () => {
    state.store.failOnce((transaction) => kinds(transaction).includes('task'))
    await state.setService('web', replicas(1))
    await state.converge()
    await state.setService('other', replicas(1))
    await state.converge()
    expect(state.tasks()).toEqual([])
    state.clock.advance(500)
    await state.converge()
    expect(state.running()).toHaveLength(2)
  })
})

describe('a manager that starts', () => {
  it('goes on with what the last one left, whatever it was doing', async () => {
    await state.setService('web', { ...replicas(4), UpdateConfig: { Parallelism: 1 } })
    await state.converge()
    await state.setService('web', { ...replicas(4), UpdateConfig: { Parallelism: 1 } }, { ForceUpdate: 1 })
    for (let i = 0; i < 12; i++) {
      await state.settle()
      await state.loop!.stop()
      await state.act()
      state.startLoop()
      state.clock.advance(1000)
    }
    await state.converge()
    const { TemplateID } = state.view.get('service', 'web')!
    expect(
      state
        .running()
        .map((task) => [task.Slot, task.TemplateID === TemplateID])
        .sort(),
    ).toEqual([
      [1, true],
      [2, true],
      [3, true],
      [4, true],
    ])
    expect(state.view.get('service', 'web')?.UpdateStatus?.State).toBe('completed')
  })
})
