/**
 * The Docker Engine API's swarm nouns as a fastify plugin. Paths have no version: the server that mounts it
 * takes that off.
 */
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import { isFailure, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { Manager } from '../manager.ts'
import type { SwarmNode } from '../node.ts'
import type { SwarmSpec } from '../store/objects/cluster.ts'
import { isTrue, parseFilters } from './filters.ts'
import { parseVersion } from './find.ts'
import { inspectNode, listNodes, nodeFilters, removeNode, updateNode } from './nodes.ts'
import { readServiceSpec } from './schemas/service.ts'
import { readInit, readJoin, readNodeSpec, readSwarmSpec } from './schemas/swarm.ts'
import {
  createService,
  inspectService,
  inspectTask,
  listServices,
  listTasks,
  removeService,
  serviceFilters,
  taskFilters,
  updateService,
} from './services.ts'
import { inspectSwarm, updateSwarm } from './swarm.ts'

type Query = Record<string, string | undefined>

export function swarmApi(node: SwarmNode): FastifyPluginAsync {
  return async (app) => {
    app.setErrorHandler((error, request, reply) => {
      const { status, message } = describeError(error)
      if (status >= 500) node.context.log.warn({ url: request.url, status }, message)
      // A buffer, since fastify adds a charset to anything else, and Docker's client knows the bare type only.
      return reply
        .code(status)
        .header('content-type', 'application/json')
        .send(Buffer.from(JSON.stringify({ message })))
    })
    addSwarmRoutes(app, node)
    addNodeRoutes(app, node)
    addServiceRoutes(app, node)
    addSecretRoutes(app, node)
  }
}

function describeError(error: unknown): { status: number; message: string } {
  if (isFailure(error)) return { status: error.http, message: error.message }
  // Fastify's own: bad JSON, a body too large.
  const { statusCode } = error as { statusCode?: number }
  return { status: statusCode ?? 500, message: messageOf(error) }
}

function addSwarmRoutes(app: FastifyInstance, node: SwarmNode): void {
  app.get('/swarm', async () => inspectSwarm(node.manager))
  app.post('/swarm/init', async (request, reply) => {
    const body = readInit(request.body)
    if (body.AutoLockManagers) throw fail('E_UNSUPPORTED', { what: 'autolock' })
    if (body.ForceNewCluster) throw fail('E_UNSUPPORTED', { what: '--force-new-cluster' })
    const id = await node.init({
      ...(body.ListenAddr && { listenAddr: body.ListenAddr }),
      ...(body.AdvertiseAddr && { advertiseAddr: body.AdvertiseAddr }),
      ...(body.DataPathAddr && { dataPathAddr: body.DataPathAddr }),
      ...(body.DataPathPort && { dataPathPort: body.DataPathPort }),
      ...(body.DefaultAddrPool && { defaultAddrPool: body.DefaultAddrPool }),
      ...(body.SubnetSize && { subnetSize: body.SubnetSize }),
      ...(body.Availability && { availability: body.Availability }),
      ...(body.Spec && { spec: withoutDockersBeat(body.Spec) }),
    })
    return reply.type('application/json').send(JSON.stringify(id))
  })
  app.post('/swarm/join', async (request) => {
    const body = readJoin(request.body)
    if (!body.RemoteAddrs?.length)
      throw fail('E_SPEC_INVALID', { why: 'at least 1 RemoteAddr is required to join' })
    await node.join({
      remoteAddrs: body.RemoteAddrs,
      token: body.JoinToken ?? '',
      ...(body.ListenAddr && { listenAddr: body.ListenAddr }),
      ...(body.AdvertiseAddr && { advertiseAddr: body.AdvertiseAddr }),
      ...(body.DataPathAddr && { dataPathAddr: body.DataPathAddr }),
      ...(body.Availability && { availability: body.Availability }),
    })
    return ''
  })
  app.post('/swarm/leave', async (request) => {
    await node.leave(isTrue(queryOf(request).force))
    return ''
  })
  app.post('/swarm/update', async (request) => {
    const query = queryOf(request)
    await updateSwarm(node.manager, {
      version: parseVersion(query.version),
      spec: readSwarmSpec(request.body),
      rotateWorkerToken: isTrue(query.rotateWorkerToken),
      rotateManagerToken: isTrue(query.rotateManagerToken),
    })
    return ''
  })
  app.get('/swarm/unlockkey', async () => {
    assertManager(node)
    return { UnlockKey: '' }
  })
  app.post('/swarm/unlock', async () => {
    throw fail('E_NOT_LOCKED', {})
  })
}

/**
 * The docker command always sends its default of 5 s between two beats, which can't be told from a wish. With
 * it a dead host would be noticed after 20 s; who really wants 5 s says so by an update.
 */
function withoutDockersBeat(spec: Partial<SwarmSpec>): Partial<SwarmSpec> {
  return spec.Dispatcher?.HeartbeatPeriod === 5e9 ? { ...spec, Dispatcher: {} } : spec
}

function addNodeRoutes(app: FastifyInstance, node: SwarmNode): void {
  app.get('/nodes', async (request) =>
    listNodes(node.manager, parseFilters(queryOf(request).filters, nodeFilters)),
  )
  app.get('/nodes/:id', async (request) => inspectNode(node.manager, idOf(request)))
  app.delete('/nodes/:id', async (request) => {
    await removeNode(node.manager, idOf(request), isTrue(queryOf(request).force))
    return ''
  })
  app.post('/nodes/:id/update', async (request) => {
    const version = parseVersion(queryOf(request).version)
    await updateNode(node.manager, idOf(request), version, readNodeSpec(request.body))
    return ''
  })
}

function addServiceRoutes(app: FastifyInstance, node: SwarmNode): void {
  app.get('/services', async (request) => {
    const { filters, status } = queryOf(request)
    return listServices(node.manager, parseFilters(filters, serviceFilters), isTrue(status))
  })
  app.post('/services/create', async (request, reply) => {
    const ID = await createService(node.manager, readServiceSpec(request.body))
    return reply.code(201).send({ ID, Warnings: null })
  })
  app.get('/services/:id', async (request) => inspectService(node.manager, idOf(request)))
  app.delete('/services/:id', async (request) => {
    await removeService(node.manager, idOf(request))
    return ''
  })
  app.post('/services/:id/update', async (request) => {
    const { version, rollback } = queryOf(request)
    const spec = rollback === 'previous' ? undefined : readServiceSpec(request.body)
    await updateService(node.manager, idOf(request), { version: parseVersion(version), spec })
    return { Warnings: null }
  })
  app.get('/services/:id/logs', async (request) => {
    inspectService(node.manager, idOf(request))
    throw fail('E_UNSUPPORTED', { what: 'logs of services' })
  })
  app.get('/tasks', async (request) =>
    listTasks(node.manager, parseFilters(queryOf(request).filters, taskFilters)),
  )
  app.get('/tasks/:id', async (request) => inspectTask(node.manager, idOf(request)))
  app.get('/tasks/:id/logs', async (request) => {
    inspectTask(node.manager, idOf(request))
    throw fail('E_UNSUPPORTED', { what: 'logs of tasks' })
  })
}

/** There are none yet: lists are empty, which "docker stack" asks for, and the rest is refused. */
function addSecretRoutes(app: FastifyInstance, node: SwarmNode): void {
  for (const kind of ['secret', 'config'] as const) {
    app.get(`/${kind}s`, async () => {
      assertManager(node)
      return []
    })
    const refuse = async (request: FastifyRequest) => {
      assertManager(node)
      throw fail('E_OBJECT_UNKNOWN', { kind, ref: idOf(request) })
    }
    app.get(`/${kind}s/:id`, refuse)
    app.delete(`/${kind}s/:id`, refuse)
    app.post(`/${kind}s/create`, async () => {
      assertManager(node)
      throw fail('E_UNSUPPORTED', { what: `${kind}s` })
    })
  }
}

/** @throws E_SWARM_INACTIVE, E_SWARM_WORKER */
function assertManager({ manager }: SwarmNode): Manager {
  return manager
}

function queryOf(request: FastifyRequest): Query {
  return request.query as Query
}

function idOf(request: FastifyRequest): string {
  return (request.params as { id: string }).id
}
