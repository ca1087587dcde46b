import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { Agent } from '../../../../src/swarm/agent/agent.ts'
import { systemContext } from '../../../../src/swarm/context.ts'
import type { TaskState } from '../../../../src/swarm/store/objects/task.ts'
import type { ReportedStatus, ToWorker } from '../../../../src/swarm/wire/messages.ts'
import { FakeEngine } from '../../../support/fake-engine.ts'

let folder: string
let engine: FakeEngine
let agent: Agent
let reports: ReportedStatus[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-agent-'))
  engine = new FakeEngine('h')
  await start()
})
afterEach(async () => {
  await agent.stop()
  await rm(folder, { recursive: true, force: true })
})

async function start(): Promise<void> {
  reports = []
  agent = await Agent.start({
    engine,
    context: systemContext(),
    folder,
    nodeId: 'n1',
    description: await engine.describe(),
    onStatus: (status) => reports.push(status),
  })
}

type Assign = Extract<ToWorker, { t: 'assign' }>
let revision = 1
function assign(
  tasks: Record<string, TaskState>,
  more: Partial<Assign> & { known?: TaskState; image?: string } = {},
): void {
  const { known = 'assigned', image = 'img', ...rest } = more
  const put: Assign['put'] = [
    ['template/t', { Spec: { ContainerSpec: { Image: image } }, HostPorts: [], Ingress: false, Core: '' }],
  ]
  for (const [ID, DesiredState] of Object.entries(tasks)) {
    put.push([
      `task/${ID}`,
      {
        ID,
        ServiceID: 's',
        ServiceName: 'web',
        ServiceLabels: {},
        Slot: 1,
        TemplateID: 't',
        DesiredState,
        State: known,
        Attachments: [],
      },
    ])
  }
  agent.apply({ t: 'assign', first: true, last: true, revision: revision++, put, drop: [], ...rest })
}
const soon = { timeoutMs: 5000, everyMs: 5 }
const state = (id: string) => agent.statuses().find(({ ID }) => ID === id)?.Status.State
const reached = (id: string, wanted: TaskState) =>
  waitFor(`${id} ${wanted}`, () => state(id) === wanted || undefined, soon)

describe('the agent', () => {
  it('passes through the states in order, and says so', async () => {
    assign({ a: 'running' })
    await reached('a', 'running')
    expect(reports.map(({ Status }) => Status.State)).toEqual(['preparing', 'ready', 'starting', 'running'])
    expect(reports.at(-1)?.Status).toMatchObject({
      ContainerStatus: { ContainerID: 'h-1', PID: 1000 },
      RunningAt: expect.any(String),
    })
    assign({ a: 'shutdown' })
    await reached('a', 'shutdown')
    expect(engine.running()).toEqual([])
    assign({})
    await waitFor('nothing', () => agent.statuses().length === 0 || undefined, soon)
    expect(engine.containers.size).toBe(0)
  })

  it('takes a set that comes in parts only when it is whole', async () => {
    assign({ a: 'running' }, { last: false })
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(agent.statuses()).toEqual([])
    assign({ b: 'running' }, { first: false })
    await reached('a', 'running')
    await reached('b', 'running')
  })

  it('breaks a preparation off when the task is not wanted any more', async () => {
    const pulling = Promise.withResolvers<void>()
    engine.ensureImage = (_, { signal }) => {
      signal.addEventListener('abort', () => pulling.reject(signal.reason))
      return pulling.promise
    }
    assign({ a: 'running' })
    await reached('a', 'preparing')
    assign({ a: 'shutdown' })
    await reached('a', 'shutdown')
    expect(reports.map(({ Status }) => Status.State)).toEqual(['preparing', 'shutdown'])
  })

  it('says why a container does not start, and does not try again', async () => {
    engine.broken.add('img')
    assign({ a: 'running' })
    await reached('a', 'failed')
    expect(reports.at(-1)?.Status.Err).toMatch(/executable file not found/)
    expect(engine.containers.size).toBe(1)
  })

  it('takes up its tasks from disk, and what became of them from the engine', async () => {
    assign({ a: 'running', b: 'running', c: 'running' })
    for (const id of ['a', 'b', 'c']) await reached(id, 'running')
    await agent.stop()
    const [first, second] = engine.running()
    engine.exit(first!.id, 0)
    await engine.removeContainer(second!.id)
    await start()
    await waitFor('reports', () => reports.length >= 2 || undefined, soon)
    expect(
      agent
        .statuses()
        .map(({ Status }) => Status.State)
        .sort(),
    ).toEqual(['complete', 'failed', 'running'])
    expect(engine.running().map(({ starts }) => starts)).toEqual([1])
  })

  it('takes up running containers although its file is gone', async () => {
    assign({ a: 'running' })
    await reached('a', 'running')
    await agent.stop()
    await rm(join(folder, 'agent.json'))
    await start()
    assign({ a: 'running' }, { known: 'running' })
    await reached('a', 'running')
    expect(engine.running().map(({ starts }) => starts)).toEqual([1])
  })

  it('removes containers that no manager knows, once one has said what it knows', async () => {
    assign({ a: 'running', b: 'running' })
    await reached('a', 'running')
    await reached('b', 'running')
    await agent.stop()
    await rm(join(folder, 'agent.json'))
    await start()
    expect(engine.running()).toHaveLength(2)
    assign({ b: 'running' }, { known: 'running' })
    await waitFor('one container', () => engine.containers.size === 1 || undefined, soon)
    await reached('b', 'running')
  })

  it('does not begin a task anew that the manager knows to have run here', async () => {
    assign({ a: 'running' }, { known: 'running' })
    await reached('a', 'failed')
    expect(engine.containers.size).toBe(0)
  })

  it('tries again what the engine could not do', async () => {
    assign({ a: 'running' })
    await reached('a', 'running')
    const stop = engine.stopContainer.bind(engine)
    let tries = 0
    engine.stopContainer = async (id) => {
      if (++tries === 1) throw new Error('the engine is busy')
      await stop(id)
    }
    assign({ a: 'shutdown' })
    await reached('a', 'shutdown')
    expect(tries).toBe(2)
  })

  describe('that removes everything', () => {
    it('takes a container along that was just being made', async () => {
      const create = engine.createContainer.bind(engine)
      const [begun, creating] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      engine.createContainer = async (...args) => {
        begun.resolve()
        await creating.promise
        return create(...args)
      }
      assign({ a: 'running' })
      await begun.promise
      const removed = agent.removeEverything()
      await new Promise((resolve) => setTimeout(resolve, 30))
      creating.resolve()
      await removed
      expect(engine.containers.size).toBe(0)
      expect(engine.network.networks).toEqual([])
    })

    it('does not wait for the grace period of a container that is stopping', async () => {
      assign({ a: 'running' })
      await reached('a', 'running')
      const stopping = Promise.withResolvers<void>()
      const remove = engine.removeContainer.bind(engine)
      engine.stopContainer = () => stopping.promise
      engine.removeContainer = async (id) => {
        stopping.resolve()
        await remove(id)
      }
      assign({ a: 'shutdown' })
      await agent.removeEverything()
      expect(engine.containers.size).toBe(0)
    })

    it('goes on over a container that can not be removed, and says which', async () => {
      assign({ a: 'running', b: 'running' })
      await reached('a', 'running')
      await reached('b', 'running')
      const remove = engine.removeContainer.bind(engine)
      const [stuck] = engine.containers.keys()
      engine.removeContainer = async (id) => {
        if (id === stuck) throw new Error('its file system is busy')
        await remove(id)
      }
      const before = engine.networks.length
      await expect(agent.removeEverything()).rejects.toThrow('its file system is busy')
      expect([...engine.containers.keys()]).toEqual([stuck])
      expect(engine.networks.length).toBeGreaterThan(before)
    })

    it('waits for an apply of networks that is under way', async () => {
      const [begun, applying] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      let [atOnce, most] = [0, 0]
      engine.applyNetwork = async () => {
        most = Math.max(most, ++atOnce)
        begun.resolve()
        await applying.promise
        atOnce--
        return engine.networkOutcome
      }
      assign({})
      await begun.promise
      const removed = agent.removeEverything()
      await new Promise((resolve) => setTimeout(resolve, 30))
      applying.resolve()
      await removed
      expect(most).toBe(1)
    })
  })

  it('refuses a file of its own that it can not read', async () => {
    await agent.stop()
    await writeFile(join(folder, 'agent.json'), '{"version": 99}')
    await expect(start()).rejects.toMatchObject({ code: 'E_STATE_UNREADABLE' })
    await rm(join(folder, 'agent.json'))
    await start()
  })
})
