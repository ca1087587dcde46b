import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { issueIdentity, makeRoot } from '../../../src/swarm/ca/authority.ts'
import { joinToken, newTokenSecret } from '../../../src/swarm/ca/token.ts'
import { systemContext } from '../../../src/swarm/context.ts'
import { type SwarmNode, startSwarmNode } from '../../../src/swarm/node.ts'
import { startWireServer } from '../../../src/swarm/wire/server.ts'
import { FakeEngine } from '../../support/fake-engine.ts'

let folder: string
const cleanups: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-node-'))
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  await rm(folder, { recursive: true, force: true })
})

async function startNode(): Promise<SwarmNode> {
  const node = await startSwarmNode({
    folder,
    engine: new FakeEngine('h'),
    context: systemContext(),
    addresses: () => [{ interface: 'lo', address: '127.0.0.1' }],
    threadless: true,
  })
  cleanups.push(() => node.stop())
  return node
}

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
