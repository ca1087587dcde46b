import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { EngineApi } from '../../../src/swarm/client/api.ts'
import type { ApiNode, ApiTask } from '../../../src/swarm/client/types.ts'
import { systemContext } from '../../../src/swarm/context.ts'
import { type SwarmNode, startSwarmNode } from '../../../src/swarm/node.ts'
import { openSqliteStore } from '../../../src/swarm/store/sqlite.ts'
import { FakeEngine } from '../../support/fake-engine.ts'
import { freePort } from '../../support/swarm-cluster.ts'

const support = join(import.meta.dirname, '..', '..', 'support')
let folder: string
const children: ChildProcess[] = []
const nodes: SwarmNode[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-processes-'))
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const soon = { timeoutMs: 20_000, everyMs: 50 }

async function startManager(port: number): Promise<{ child: ChildProcess; token: string; api: EngineApi }> {
  const child = spawn(
    process.execPath,
    [join(support, 'swarm-manager-process.ts'), join(folder, 'm1'), `${port}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.push(child)
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout!.once('data', (data: Buffer) => resolve(data.toString()))
    child.once('exit', (code) => reject(new Error(`the manager ended with ${code}`)))
  })
  const { token, socket } = JSON.parse(line) as { token: string; socket: string }
  return { child, token, api: new EngineApi({ url: `unix://${socket}` }) }
}

async function join_(port: number, token: string, name: string): Promise<FakeEngine> {
  const engine = new FakeEngine(name)
  const node = await startSwarmNode({ folder: join(folder, name), engine, context: systemContext() })
  nodes.push(node)
  await node.join({ remoteAddrs: [`127.0.0.1:${port}`], token })
  return engine
}

const service = (Replicas: number) => ({
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'img' } },
  Mode: { Replicated: { Replicas } },
})

async function running(api: EngineApi, count: number): Promise<ApiTask[]> {
  return waitFor(
    `${count} running tasks`,
    async () => {
      const tasks = await api.get<ApiTask[]>('/tasks', { filters: { 'desired-state': ['running'] } })
      const all = tasks.filter((task) => task.Status.State === 'running')
      return all.length === count ? all : undefined
    },
    soon,
  )
}
const states = async (api: EngineApi) => (await api.get<ApiNode[]>('/nodes')).map((node) => node.Status.State)

describe("a manager's process", () => {
  it('that is stopped for 4 s calls no node down', async () => {
    const port = await freePort()
    const { child, token, api } = await startManager(port)
    const engines = [await join_(port, token, 'w1'), await join_(port, token, 'w2')]
    await api.post('/services/create', service(6))
    const before = (await running(api, 6)).map((task) => task.ID).sort()
    child.kill('SIGSTOP')
    await sleep(4000)
    child.kill('SIGCONT')
    const seen = new Set<string>()
    for (let i = 0; i < 40; i++) {
      for (const state of await states(api)) seen.add(state)
      await sleep(50)
    }
    expect([...seen]).toEqual(['ready'])
    expect((await running(api, 6)).map((task) => task.ID).sort()).toEqual(before)
    expect(engines.flatMap((engine) => [...engine.containers.values()].map((c) => c.starts))).toEqual([
      1, 1, 1, 1,
    ])
  })

  it('that is killed loses nothing, and restarts no container on the workers', async () => {
    const port = await freePort()
    const first = await startManager(port)
    const engines = [await join_(port, first.token, 'w1'), await join_(port, first.token, 'w2')]
    const { ID } = await first.api.post<{ ID: string }>('/services/create', {
      ...service(4),
      TaskTemplate: { ContainerSpec: { Image: 'img' }, Placement: { Constraints: ['node.role==worker'] } },
    })
    const before = (await running(first.api, 4)).map((task) => task.ID).sort()
    first.child.kill('SIGKILL')
    const second = await startManager(port)
    expect(second.token).toBe(first.token)
    expect((await second.api.get<{ ID: string }>('/services/web')).ID).toBe(ID)
    await waitFor(
      'all nodes',
      async () => (await states(second.api)).every((state) => state === 'ready') || undefined,
      soon,
    )
    expect((await running(second.api, 4)).map((task) => task.ID).sort()).toEqual(before)
    expect(engines.flatMap((engine) => [...engine.containers.values()].map((c) => c.starts))).toEqual([
      1, 1, 1, 1,
    ])
  })

  it('that hears nothing of a host calls it down within 5 s, and its tasks run elsewhere within 10', async () => {
    const port = await freePort()
    const { token, api } = await startManager(port)
    await join_(port, token, 'w1')
    await api.post('/services/create', service(4))
    await running(api, 4)
    const began = performance.now()
    await nodes[0]!.stop()
    await waitFor('down', async () => (await states(api)).includes('down') || undefined, soon)
    expect(performance.now() - began).toBeLessThan(5000)
    await waitFor(
      'four elsewhere',
      async () => {
        const tasks = await api.get<ApiTask[]>('/tasks', { filters: { 'desired-state': ['running'] } })
        return tasks.filter((t) => t.Status.State === 'running').length === 4 || undefined
      },
      soon,
    )
    expect(performance.now() - began).toBeLessThan(10_000)
  })
})

describe('the SQLite store', () => {
  it('has all that it acknowledged after kill -9, wherever that struck', async () => {
    for (let round = 0; round < 5; round++) {
      const path = join(folder, `killed-${round}.db`)
      const child = spawn(process.execPath, [join(support, 'store-writer-process.ts'), path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      children.push(child)
      let printed = ''
      child.stdout!.on('data', (data: Buffer) => {
        printed += data.toString()
      })
      await waitFor('some commits', () => printed.split('\n').length > 20 || undefined, soon)
      await sleep(Math.random() * 200)
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('close', resolve))
      const store = await openSqliteStore(path)
      const acknowledged = printed.slice(0, printed.lastIndexOf('\n')).split('\n')
      const { entries } = await store.list('')
      const modified = new Map(entries.map((entry) => [entry.key, entry.modified]))
      const lost = acknowledged.filter((line) => {
        const [revision, key] = line.split(' ') as [string, string]
        return modified.get(key) !== Number(revision)
      })
      expect(lost).toEqual([])
      await store.close()
    }
  })

  const strace = existsSync('/usr/bin/strace')
  it.skipIf(!strace)(
    `makes an fsync before each acknowledgement${strace ? '' : ' (strace is missing)'}`,
    async () => {
      const trace = join(folder, 'trace')
      const writer = [
        process.execPath,
        join(support, 'store-writer-process.ts'),
        join(folder, 'traced.db'),
        '20',
      ]
      await promisify(execFile)('strace', [
        '-f',
        '-qq',
        '-e',
        'trace=fdatasync,fsync,write',
        '-s',
        '40',
        '-o',
        trace,
        ...writer,
      ])
      const lines = (await readFile(trace, 'utf8')).split('\n')
      let synced = 0
      let printed = 0
      for (const line of lines) {
        if (/f(data)?sync\(.* = 0|<\.\.\. f(data)?sync resumed>.* = 0/.test(line)) synced++
        if (/write\(1, "\d+ w/.test(line)) {
          printed++
          expect(synced, `syncs before acknowledgement ${printed}`).toBeGreaterThanOrEqual(printed)
        }
      }
      expect(printed).toBe(20)
    },
  )
})
