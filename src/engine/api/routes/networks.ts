/** /networks: the host's own, and in a swarm's manager the swarm's. */
import type { Readable } from 'node:stream'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { isFailure } from '../../../shared/errors.ts'
import { writeNetworkFiles } from '../../containers/network-files.ts'
import type { EndpointConfig, NetworkCreateBody, NetworkSummary } from '../../network/shapes.ts'
import { readJson } from '../body.ts'
import type { ApiContext } from '../context.ts'
import { filters, type Query } from '../query.ts'
import { checkConnect, checkNetwork } from '../schemas/network.ts'

export function networkRoutes(api: ApiContext): FastifyPluginAsync {
  const { networks, swarmNetworks, containers } = api
  const idOf = (request: FastifyRequest) => (request.params as { id: string }).id

  /** A network of the swarm that this host takes part in is both: the swarm's word is the wider one. */
  const list = (wanted: Record<string, string[]>): NetworkSummary[] => {
    const own = networks.list(wanted)
    const swarm = swarmNetworks()?.list(wanted) ?? []
    const ids = new Set(swarm.map((n) => n.Id))
    return [...own.filter((n) => !ids.has(n.Id)), ...swarm]
  }

  const inspect = (ref: string): NetworkSummary => {
    try {
      return networks.inspect(ref)
    } catch (error) {
      const found = isFailure(error, 'E_NETWORK_UNKNOWN') ? swarmNetworks()?.find(ref) : undefined
      if (found) return found
      throw error
    }
  }

  return async (app) => {
    app.get('/networks', async (request) => list(filters(request.query as Query)))

    app.get('/networks/:id', async (request) => inspect(idOf(request)))

    app.post('/networks/create', async (request, reply) => {
      const body = await readJson(request.body as Readable | undefined)
      checkNetwork(body)
      const wanted = body as unknown as NetworkCreateBody
      const swarm = swarmNetworks()
      const answer = swarm?.isWanted(wanted)
        ? { Id: await swarm.create(wanted), Warning: '' }
        : await networks.create(wanted)
      return reply.code(201).send(answer)
    })

    app.delete('/networks/:id', async (request, reply) => {
      const swarm = swarmNetworks()
      if (swarm?.find(idOf(request))) await swarm.remove(idOf(request))
      else networks.remove(idOf(request))
      return reply.code(204).send()
    })

    app.post('/networks/:id/connect', async (request, reply) => {
      const body = await readJson(request.body as Readable | undefined)
      checkConnect(body)
      const container = containers.table.get(body.Container as string)
      const endpoint = (body.EndpointConfig ?? {}) as EndpointConfig
      if (container.isRunning) {
        networks.connectContainer(container.id, idOf(request), endpoint)
        writeNetworkFiles(container, networks.containerFiles(container.id))
      } else {
        networks.inspect(idOf(request))
      }
      container.record.endpoints[networks.inspect(idOf(request)).Name] = { ...endpoint, Links: null }
      containers.table.save(container)
      return reply.code(200).send()
    })

    app.post('/networks/:id/disconnect', async (request, reply) => {
      const body = await readJson(request.body as Readable | undefined)
      checkConnect(body)
      const { Name, Id } = networks.inspect(idOf(request))
      const container = containers.table.find(body.Container as string)
      // A container that is gone can't hold a network any more, which is all that --force asks.
      if (!container && body.Force === true) return reply.code(200).send()
      const { record, isRunning } = container ?? containers.table.get(body.Container as string)
      if (isRunning) {
        networks.disconnectContainer(record.id, idOf(request))
        writeNetworkFiles(container!, networks.containerFiles(record.id))
      }
      delete record.endpoints[Name]
      delete record.endpoints[Id]
      containers.table.save(container!)
      return reply.code(200).send()
    })

    app.post('/networks/prune', async (request) => {
      return networks.prune(filters(request.query as Query))
    })
  }
}
