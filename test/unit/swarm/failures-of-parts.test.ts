import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { silentLog, systemContext } from '../../../src/swarm/context.ts'
import { Manager } from '../../../src/swarm/manager.ts'
import type { SwarmNode } from '../../../src/swarm/node.ts'
import { openMemoryStore } from '../../../src/swarm/store/memory.ts'
import { FakeCluster, type FakeHost } from '../../support/swarm-cluster.ts'

const workers = vi.hoisted(() => new Map<string, Worker[]>())

vi.mock('../../../src/shared/worker.ts', async (importOriginal) => {
  const actual = await importOriginal<typeof import('../../../src/shared/worker.ts')>()
  const openWorker: typeof actual.openWorker = (role, ...rest) => {
    const worker = actual.openWorker(role, ...rest)
    workers.set(role, [...(workers.get(role) ?? []), worker])
    return worker
  }
  return { ...actual, openWorker }
})

let cluster: FakeCluster | undefined
afterEach(async () => {
  await cluster?.close()
  cluster = undefined
  workers.clear()
})
const soon = { timeoutMs: 10_000, everyMs: 5 }
const replicas = (Replicas: number) => ({ Mode: { Replicated: { Replicas } } })

/** The node says what is wrong, then works again; no container has noticed. */
async function expectRecovery(c: FakeCluster, host: FakeHost, reason: RegExp): Promise<void> {
  const node: SwarmNode = host.node!
  await waitFor('the error', () => node.state === 'error' || undefined, soon)
  expect(node.error).toMatch(reason)
  await waitFor('the node again', () => node.state === 'active' || undefined, soon)
  await c.setService('web', replicas(6))
  await c.settled('web', 6)
  const starts = c.hosts.flatMap(({ engine }) => [...engine.containers.values()].map((x) => x.starts))
  expect(starts).toEqual(Array(6).fill(1))
}

describe('a node of which a part has died', () => {
  it.each([
    ['server-thread', 'm1', /^the thread ended with code 1$/],
    ['sqlite-thread', 'm1', /^the store could not keep a change: its thread has ended$/],
    ['client-thread', 'w1', /^the thread ended with code 1$/],
  ])('says so and begins anew, when it is its %s', async (role, name, reason) => {
    const c = await FakeCluster.make(1, { threadless: false })
    cluster = c
    await c.setService('web', replicas(4))
    await c.settled('web', 4)
    await workers.get(role)!.at(-1)!.terminate()
    await expectRecovery(c, c.host(name), reason)
  })

  it('says so and begins anew, when a listener of the state threw', async () => {
    const c = await FakeCluster.make(1)
    cluster = c
    await c.setService('web', replicas(4))
    await c.settled('web', 4)
    c.view.subscribe(() => {
      throw new Error('a bug')
    })
    await c.setService('web', replicas(5))
    await expectRecovery(c, c.host('m1'), /^a bug$/)
  })
})

describe('a manager whose store lacks its own row', () => {
  it('is not started, and leaves the store closed', async () => {
    const store = openMemoryStore()
    const options = {
      context: systemContext(silentLog),
      store,
      nodeId: 'n1',
      address: '127.0.0.1:2377',
      wire: { host: '127.0.0.1', port: 0, cert: '', key: '', ca: '', ownThread: false },
      failed: () => undefined,
    }
    await expect(Manager.start(options)).rejects.toMatchObject({ code: 'E_STORE_EMPTY' })
    await expect(store.list('')).rejects.toMatchObject({ code: 'E_STORE_CLOSED' })
  })
})
