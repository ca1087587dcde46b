import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { networkTasksLimit } from '../../../../src/swarm/scheduler/filters.ts'
import { Heap } from '../../../../src/swarm/scheduler/heap.ts'
import type { TaskSpec } from '../../../../src/swarm/store/objects/task-spec.ts'
import { SwarmState } from '../../../support/swarm-state.ts'

let state: SwarmState
beforeEach(async () => {
  state = await SwarmState.make(0)
})
afterEach(() => state.close())

const place = async (replicas: number, task: TaskSpec = {}, id = 'web') => {
  await state.setService(id, { Mode: { Replicated: { Replicas: replicas } } }, task)
  if (!state.loop) state.startLoop()
  await state.settle()
}
const nodesOf = (id = 'web') => {
  const counts: Record<string, number> = {}
  for (const task of state.tasks(id)) if (task.NodeID) counts[task.NodeID] = (counts[task.NodeID] ?? 0) + 1
  return counts
}
const why = () => [...new Set(state.tasks().flatMap((task) => task.Status.Err ?? []))]
const labelled = (Labels: Record<string, string>) => ({
  Spec: { Labels, Role: 'worker' as const, Availability: 'active' as const },
})

describe('placement', () => {
  it('goes on for the others when the tasks of one service can not be planned', async () => {
    await state.addNode('n1')
    await state.addNode('n2', { Description: {} as never })
    state.startLoop()
    await place(2, { Resources: { Reservations: { MemoryBytes: 2 ** 30 } } }, 'a')
    await place(2, {}, 'b')
    expect(nodesOf('a')).toEqual({})
    expect(nodesOf('b')).toEqual({ n1: 1, n2: 1 })
    await state.changeNode('n2', (node) => ({
      ...node,
      Description: state.view.get('node', 'n1')!.Description!,
    }))
    await state.settle()
    expect(nodesOf('a')).toEqual({ n1: 1, n2: 1 })
  })

  it('spreads the tasks of a service first, and all tasks second', async () => {
    for (const id of ['n1', 'n2', 'n3']) await state.addNode(id)
    await place(4, {}, 'a')
    await place(4, {}, 'b')
    const total = state.tasks().reduce<Record<string, number>>((sum, { NodeID }) => {
      sum[NodeID] = (sum[NodeID] ?? 0) + 1
      return sum
    }, {})
    expect(Object.values(nodesOf('b')).sort()).toEqual([1, 1, 2])
    expect(Object.values(total).sort()).toEqual([2, 3, 3])
  })

  it('is even within one, for any number of nodes and tasks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 30 }),
        async (nodes, tasks) => {
          const one = await SwarmState.make(nodes)
          try {
            await one.setService('s', { Mode: { Replicated: { Replicas: tasks } } })
            one.startLoop()
            await one.settle()
            const counts = Array.from({ length: nodes }, (_, i) => [...one.view.tasksOn(`n${i + 1}`)].length)
            expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
            expect(counts.reduce((a, b) => a + b)).toBe(tasks)
          } finally {
            await one.close()
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  it('spreads over labels before it spreads over nodes', async () => {
    await state.addNode('a1', labelled({ zone: 'a' }))
    await state.addNode('a2', labelled({ zone: 'a' }))
    await state.addNode('a3', labelled({ zone: 'a' }))
    await state.addNode('b1', labelled({ zone: 'b' }))
    await state.addNode('c1', labelled({}))
    await place(9, { Placement: { Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }] } })
    expect(nodesOf()).toEqual({ a1: 1, a2: 1, a3: 1, b1: 3, c1: 3 })
  })

  it('goes round a node on which the service keeps failing', async () => {
    await state.addNode('n1')
    await state.addNode('n2')
    await place(1, { RestartPolicy: { Delay: 0 }, Placement: { Constraints: ['node.id==n1'] } })
    for (let i = 0; i < 5; i++) {
      await state.converge()
      await state.report(state.running()[0]!.ID, 'failed')
    }
    await state.converge()
    expect(state.running()[0]!.NodeID).toBe('n1')
    await place(4, { RestartPolicy: { Delay: 0 } })
    await state.converge()
    expect(nodesOf()).toMatchObject({ n2: 3 })
  })
})

describe('a task without a node', () => {
  const hello = [
    ['paused', { Availability: 'pause' as const }],
    ['drained', { Availability: 'drain' as const }],
  ] as const
  it.each(hello)('says that its nodes are %s', async (word, spec) => {
    await state.addNode('n1', { Spec: { Labels: {}, Role: 'worker', ...spec } })
    await place(1)
    expect(why()).toEqual([`no suitable node (1 node: ${word})`])
  })

  it('says so when the swarm has no nodes', async () => {
    await place(1)
    expect(why()).toEqual(['no suitable node (the swarm has none)'])
  })

  it.each<[TaskSpec, string]>([
    [{ Placement: { Constraints: ['node.labels.zone==b'] } }, 'not node.labels.zone==b'],
    [{ Placement: { Platforms: [{ OS: 'linux', Architecture: 'arm64' }] } }, 'no image for linux/x86_64'],
    [{ Resources: { Reservations: { MemoryBytes: 9 * 2 ** 30 } } }, 'no room for 9.66GB'],
    [{ Resources: { Reservations: { NanoCPUs: 5e9 } } }, 'no room for 5 CPUs'],
  ])('says what none of them has', async (task, reason) => {
    await state.addNode('n1')
    await state.addNode('n2')
    await place(1, task)
    expect(why()).toEqual([`no suitable node (2 nodes: ${reason})`])
  })

  it('names the reasons by their number', async () => {
    await state.addNode('n1')
    await state.addNode('n2')
    await state.addNode('n3', { Status: { State: 'down', Addr: '' } })
    await place(1, { Resources: { Reservations: { MemoryBytes: 2 ** 40 } } })
    expect(why()).toEqual(['no suitable node (2 nodes: no room for 1.1TB; 1 node: down)'])
  })

  it('gets one as soon as there is room', async () => {
    await state.addNode('n1')
    const big = { Resources: { Reservations: { MemoryBytes: 5 * 2 ** 30 } } }
    await place(1, big, 'a')
    await place(1, big, 'b')
    await state.converge()
    expect(state.running('b')).toEqual([])
    await state.database.transact((draft) => draft.delete('service', 'a'))
    await state.converge()
    expect(state.running('b')).toHaveLength(1)
    expect(state.running('b')[0]!.Status.Err).toBeUndefined()
  })

  it('gets one as soon as a node comes, or meets its constraint', async () => {
    await state.addNode('n1')
    await place(2, { Placement: { Constraints: ['node.labels.zone==b'] } })
    await state.changeNode('n1', (node) => ({ ...node, Spec: { ...node.Spec, Labels: { zone: 'B' } } }))
    await state.settle()
    expect(nodesOf()).toEqual({ n1: 2 })
  })
})

describe('limits', () => {
  it('hold for replicas on a node', async () => {
    await state.addNode('n1')
    await state.addNode('n2')
    await place(5, { Placement: { MaxReplicas: 2 } })
    expect(nodesOf()).toEqual({ n1: 2, n2: 2 })
    expect(why()).toEqual(['no suitable node (2 nodes: has its 2 replicas)'])
  })

  it('hold for ports of the host', async () => {
    await state.addNode('n1')
    await state.addNode('n2')
    const Ports = [
      { Protocol: 'tcp' as const, TargetPort: 80, PublishedPort: 80, PublishMode: 'host' as const },
    ]
    await state.setService('web', { Mode: { Replicated: { Replicas: 3 } }, EndpointSpec: { Ports } })
    state.startLoop()
    await state.settle()
    expect(nodesOf()).toEqual({ n1: 1, n2: 1 })
    expect(why()).toEqual(['no suitable node (2 nodes: port 80/tcp taken)'])
  })

  it('hold for memory, task by task', async () => {
    await state.addNode('n1')
    await place(9, { Resources: { Reservations: { MemoryBytes: 2 * 2 ** 30 } } })
    expect(nodesOf()).toEqual({ n1: 4 })
  })

  it('hold for tasks on networks, since a bridge has so many ports only', async () => {
    await state.addNode('n1')
    await place(networkTasksLimit + 2)
    expect(nodesOf()).toEqual({ n1: networkTasksLimit })
    expect(why()).toEqual([
      `no suitable node (1 node: no room for more than ${networkTasksLimit} tasks on networks)`,
    ])
    await place(1, { Networks: [{ Target: 'host' }] }, 'agent')
    expect(nodesOf('agent')).toEqual({ n1: 1 })
  })
})

describe('the heap', () => {
  it('gives back everything, the smallest first', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = new Heap<number>((a, b) => a - b)
        for (const number of numbers) heap.push(number)
        const popped = numbers.map(() => heap.pop()!)
        expect(popped).toEqual([...numbers].sort((a, b) => a - b))
        expect(heap.pop()).toBeUndefined()
      }),
    )
  })
})
