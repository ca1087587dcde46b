/** The host's place in a swarm, and what the engine's API shows of it. */
import { join } from 'node:path'
import type { FastifyPluginAsync } from 'fastify'
import type { Logger } from 'pino'
import type { SwarmInfo, SwarmNetworks } from '../engine/api/context.ts'
import type { NetworkSummary } from '../engine/network/shapes.ts'
import { isFailure } from '../shared/errors.ts'
import { hostAddresses } from '../swarm/addresses.ts'
import type { Engine } from '../swarm/agent/engine.ts'
import {
  createNetwork,
  inspectNetwork,
  isSwarmNetwork,
  listNetworks,
  removeNetwork,
} from '../swarm/api/networks.ts'
import { swarmApi } from '../swarm/api/plugin.ts'
import { swarmInfo } from '../swarm/api/swarm.ts'
import { systemContext } from '../swarm/context.ts'
import { type SwarmNode, startSwarmNode } from '../swarm/node.ts'

export interface SwarmPart {
  node: SwarmNode
  /** The swarm's nouns, to be mounted into the engine's API. */
  plugin: FastifyPluginAsync
  info: () => SwarmInfo
  networks: () => SwarmNetworks | undefined
}

export interface SwarmPartOptions {
  folder: string
  engine: Engine
  log: Logger
  /** Names of interfaces that the engine made: not to be advertised. */
  isOwnInterface: (name: string) => boolean
}

/** Takes up the place that the disk says; none at first. */
export async function startSwarmPart(options: SwarmPartOptions): Promise<SwarmPart> {
  const node = await startSwarmNode({
    folder: join(options.folder),
    engine: options.engine,
    context: systemContext(options.log),
    addresses: () => hostAddresses().filter((one) => !options.isOwnInterface(one.interface)),
  })
  return {
    node,
    plugin: async (app) => {
      // The engine's own routes take every body as a stream; these want JSON.
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: 4 << 20 }, (_request, body, done) => {
        try {
          done(null, body === '' ? {} : JSON.parse(body as string))
        } catch (error) {
          done(Object.assign(error as Error, { statusCode: 400 }))
        }
      })
      await app.register(swarmApi(node))
    },
    info: () => swarmInfo(node) as SwarmInfo,
    networks: () => (node.isManager ? managerNetworks(node) : undefined),
  }
}

function managerNetworks(node: SwarmNode): SwarmNetworks {
  const hostScope = (network: { Scope?: string }) => network.Scope !== 'swarm'
  return {
    isWanted: isSwarmNetwork,
    create: (body) => createNetwork(node.manager, body),
    list: (filters) => {
      const { dangling, type, ...own } = filters
      // Networks of the swarm are user-defined, and whether tasks hang on them the host does not know.
      if (dangling || (type && !type.includes('custom'))) return []
      return listNetworks(node.manager, new Map(Object.entries(own))) as unknown as NetworkSummary[]
    },
    find: (ref) => {
      try {
        const network = inspectNetwork(node.manager, ref) as unknown as NetworkSummary
        return hostScope(network) ? undefined : network
      } catch (error) {
        if (isFailure(error) && error.http === 404) return undefined
        throw error
      }
    },
    remove: (ref) => removeNetwork(node.manager, ref),
  }
}
