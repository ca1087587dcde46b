import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { taskLabel } from '../../../src/swarm/agent/container-body.ts'
import type { ContainerBody } from '../../../src/swarm/agent/engine.ts'
import { issueIdentity, makeRoot } from '../../../src/swarm/ca/authority.ts'
import { joinToken, newTokenSecret } from '../../../src/swarm/ca/token.ts'
import { EngineApi } from '../../../src/swarm/client/api.ts'
import { systemClock, systemContext } from '../../../src/swarm/context.ts'
import { type SwarmNode, startSwarmNode } from '../../../src/swarm/node.ts'
import { startWireServer } from '../../../src/swarm/wire/server.ts'
import { FakeEngine } from '../../support/fake-engine.ts'
import { serveSwarmApi } from '../../support/swarm-api.ts'
import { freePort } from '../../support/swarm-cluster.ts'

let folder: string
let engine: FakeEngine
const cleanups: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-node-'))
  engine = new FakeEngine('h')
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await rm(folder, { recursive: true, force: true })
})

/** Long timers wait for the test. */
let lookAgain = () => {}
function after(ms: number, fn: () => void): () => void {
  if (ms === 300_000) lookAgain = fn
  return systemClock.after(ms, fn)
}

async function startNode(): Promise<SwarmNode> {
  const node = await startSwarmNode({
    folder,
    engine,
    context: { ...systemContext(), clock: { ...systemClock, after } },
    addresses: () => [{ interface: 'lo', address: '127.0.0.1' }],
    threadless: true,
  })
  cleanups.push(() => node.stop())
  return node
}

describe('a node whose host is renamed', () => {
  it('tells its manager so', async () => {
    const node = await startNode()
    const id = await node.init({ listenAddr: `127.0.0.1:${await freePort()}` })
    const hostname = () => node.manager.database.replica.get('node', id)?.Description?.Hostname
    await waitFor('the first name', () => hostname() === 'h' || undefined, { timeoutMs: 5000 })
    Object.assign(engine, { hostname: 'renamed' })
    lookAgain()
    await waitFor('the second name', () => hostname() === 'renamed' || undefined, { timeoutMs: 5000 })
  })
})

describe('a node that joins', () => {
  it("does not tell its token to one who shows another's root beside the right one", async () => {
    const [root, evil] = await Promise.all([makeRoot(), makeRoot()])
    const heard: string[] = []
    const identity = { nodeId: 'm1', clusterId: 'c1', role: 'manager' as const }
    const certificates = { ...(await issueIdentity(evil, identity)), ca: evil.cert }
    const server = await startWireServer(
      { host: '127.0.0.1', port: 0, graceMs: 1000, ownThread: false, ...certificates },
      {
        received(connection, message) {
          heard.push(message.t)
          server.send(connection, { t: 'ca', cert: root.cert + evil.cert })
        },
        closed() {},
        silent() {},
        failed() {},
      },
    )
    cleanups.push(() => server.stop())
    const node = await startNode()
    const token = joinToken(root.cert, newTokenSecret())
    await expect(node.join({ remoteAddrs: [`127.0.0.1:${server.port}`], token })).rejects.toMatchObject({
      code: 'E_TOKEN_DIGEST',
    })
    expect(heard).toEqual(['ca'])
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a node whose membership can not be read', () => {
  const listenAddr = async () => `127.0.0.1:${await freePort()}`
  const unreadable = { code: 'E_STATE_UNREADABLE', message: expect.stringContaining('node.json') }

  /** Of a newer version, as after a downgrade. */
  async function startDowngraded(): Promise<SwarmNode> {
    const first = await startNode()
    await first.init({ listenAddr: await listenAddr() })
    await first.stop()
    const path = join(folder, 'node.json')
    await writeFile(path, (await readFile(path, 'utf8')).replace('"version": 1', '"version": 99'))
    return startNode()
  }

  it('keeps it: no other swarm is begun or joined, and a leave must be forced', async () => {
    const node = await startDowngraded()
    expect(node.state).toBe('error')
    await expect(node.init({ listenAddr: await listenAddr() })).rejects.toMatchObject(unreadable)
    const token = joinToken((await makeRoot()).cert, newTokenSecret())
    await expect(node.join({ remoteAddrs: ['127.0.0.1:1'], token })).rejects.toMatchObject(unreadable)
    await expect(node.leave(false)).rejects.toMatchObject(unreadable)
    expect(() => node.manager).toThrow(expect.objectContaining(unreadable))
    expect(await readdir(join(folder, 'manager'))).toContain('swarm.db')
  })

  it('gives it up, with its containers, by a forced leave', async () => {
    const node = await startDowngraded()
    const body = { Image: 'img', Labels: { [taskLabel]: 't1' } } as unknown as ContainerBody
    await engine.createContainer('web.1.t1', body)
    await node.leave(true)
    expect([node.state, node.error]).toEqual(['inactive', ''])
    expect(engine.containers.size).toBe(0)
    expect(await readdir(folder)).toEqual([])
    await node.init({ listenAddr: await listenAddr() })
    expect(node.state).toBe('active')
  })
})

describe('a manager whose state is damaged', () => {
  it('says so, and not that it is a worker', async () => {
    const first = await startNode()
    await first.init({ listenAddr: `127.0.0.1:${await freePort()}` })
    await first.stop()
    await rm(join(folder, 'manager', 'swarm.db-wal'), { force: true })
    await writeFile(join(folder, 'manager', 'swarm.db'), 'garbage '.repeat(2000))
    const node = await startNode()
    const api = await serveSwarmApi(node)
    cleanups.push(() => api.close())
    const client = new EngineApi({ url: `unix://${api.socket}` })
    const reason = "swarm.db can't be read: file is not a database"
    await expect(client.get('/nodes')).rejects.toMatchObject({
      message: expect.stringMatching(/^This node's place in the swarm can't be taken up: .*not a database/),
    })
    const { Swarm } = await client.get<{ Swarm: object }>('/info')
    expect(Swarm).toMatchObject({ LocalNodeState: 'error', Error: expect.stringContaining(reason) })
  })
})
