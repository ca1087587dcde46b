import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { parseFilters } from '../../src/swarm/api/filters.ts'
import {
  createNetwork,
  inspectNetwork,
  listNetworks,
  type NetworkRequest,
  removeNetwork,
} from '../../src/swarm/api/networks.ts'
import { swarmApi } from '../../src/swarm/api/plugin.ts'
import { swarmHeader, swarmInfo } from '../../src/swarm/api/swarm.ts'
import type { SwarmNode } from '../../src/swarm/node.ts'

/** The swarm's part of a daemon's API on a unix socket, with what docker asks of the rest. */
export async function serveSwarmApi(
  node: SwarmNode,
): Promise<{ socket: string; close: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'swarm-api-'))
  const socket = join(folder, 'api.sock')
  const app = fastify({ rewriteUrl: (request) => (request.url ?? '/').replace(/^\/v\d+\.\d+/, '') })
  app.addHook('onSend', async (_, reply) => {
    reply.headers({ 'Api-Version': '1.51', Ostype: 'linux', Swarm: swarmHeader(node) })
  })
  app.setErrorHandler((error, _, reply) => {
    const { http = 500, message } = error as Error & { http?: number }
    return reply
      .code(http)
      .header('content-type', 'application/json')
      .send(Buffer.from(JSON.stringify({ message })))
  })
  app.get('/_ping', async () => 'OK')
  app.get('/version', async () => ({ Version: '1', ApiVersion: '1.51', MinAPIVersion: '1.24', Os: 'linux' }))
  app.get('/info', async () => ({ ID: 'x', Name: 'x', Swarm: swarmInfo(node) }))
  app.get('/networks', async (request) => {
    const known = ['name', 'id', 'label', 'driver', 'scope', 'type', 'dangling']
    return listNetworks(node.manager, parseFilters((request.query as { filters?: string }).filters, known))
  })
  app.get('/networks/:id', async (request) =>
    inspectNetwork(node.manager, (request.params as { id: string }).id),
  )
  app.post('/networks/create', async (request, reply) => {
    reply.code(201)
    return { Id: await createNetwork(node.manager, request.body as NetworkRequest), Warning: '' }
  })
  app.delete('/networks/:id', async (request, reply) => {
    await removeNetwork(node.manager, (request.params as { id: string }).id)
    return reply.code(204).send()
  })
  await app.register(swarmApi(node))
  await app.listen({ path: socket })
  return {
    socket,
    async close() {
      await app.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
