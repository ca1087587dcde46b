/** /containers: each route reads its parameters, calls one verb, answers. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { type CreateRequest, createContainer } from '../../containers/create.ts'
import { inspectContainer, summarizeContainer } from '../../containers/inspect.ts'
import { listContainers } from '../../containers/list.ts'
import { removeContainer } from '../../containers/remove.ts'
import { resizeTerminal } from '../../containers/resize.ts'
import { startContainer } from '../../containers/start.ts'
import {
  killContainer,
  pauseContainer,
  restartContainer,
  stopContainer,
  unpauseContainer,
} from '../../containers/stop.ts'
import { waitForContainer } from '../../containers/wait.ts'
import { attach } from '../attach.ts'
import { readJson } from '../body.ts'
import type { ApiContext } from '../context.ts'
import { streamType } from '../frames.ts'
import { type HijackTable, plainHijack, splitVersion } from '../hijack.ts'
import { logOptions, streamLogs } from '../logs.ts'
import { filters, flag, integer, type Query, text } from '../query.ts'
import { checkCreate, wordList } from '../schemas/container.ts'
import { maxVersion } from '../versions.ts'

export function containerRoutes(api: ApiContext, hijacks: HijackTable): FastifyPluginAsync {
  const context = api.containers
  const { table } = context
  const byId = (request: FastifyRequest) => table.get((request.params as { id: string }).id)
  const queryOf = (request: FastifyRequest) => request.query as Query
  const grace = (request: FastifyRequest) => {
    const seconds = integer(queryOf(request), 't')
    return {
      signal: text(queryOf(request), 'signal'),
      graceMs: seconds === undefined ? undefined : seconds * 1000,
    }
  }

  return async (app) => {
    app.get('/containers/json', async (request) => {
      const query = queryOf(request)
      const limit = integer(query, 'limit')
      const options = {
        all: flag(query, 'all'),
        limit: limit && limit > 0 ? limit : undefined,
        filters: filters(query),
      }
      return listContainers(context, options).map((c) => summarizeContainer(context, c))
    })

    app.post('/containers/create', async (request, reply) => {
      const body = await readJson(request.body as Readable | undefined)
      checkCreate(body)
      const asked = {
        ...body,
        Cmd: wordList(body.Cmd),
        Entrypoint: wordList(body.Entrypoint),
      } as unknown as CreateRequest
      const query = queryOf(request)
      const name = text(query, 'name') || undefined
      const container = await createContainer(context, name, asked, text(query, 'platform'))
      return reply.code(201).send({ Id: container.id, Warnings: [] })
    })

    app.get('/containers/:id/json', async (request) => inspectContainer(context, api.execs, byId(request)))

    app.post('/containers/:id/start', async (request, reply) => {
      await startContainer(context, byId(request))
      return reply.code(204).send()
    })

    app.post('/containers/:id/stop', async (request, reply) => {
      await stopContainer(context, byId(request), grace(request))
      return reply.code(204).send()
    })

    app.post('/containers/:id/restart', async (request, reply) => {
      await restartContainer(context, byId(request), grace(request))
      return reply.code(204).send()
    })

    app.post('/containers/:id/kill', async (request, reply) => {
      killContainer(context, byId(request), text(queryOf(request), 'signal') || undefined)
      return reply.code(204).send()
    })

    app.post('/containers/:id/pause', async (request, reply) => {
      pauseContainer(context, byId(request))
      return reply.code(204).send()
    })

    app.post('/containers/:id/unpause', async (request, reply) => {
      unpauseContainer(context, byId(request))
      return reply.code(204).send()
    })

    app.post('/containers/:id/rename', async (request, reply) => {
      const container = byId(request)
      const oldName = container.record.name
      table.rename(container, (text(queryOf(request), 'name') ?? '').replace(/^\//, ''))
      context.events.container('rename', container.id, { oldName: `/${oldName}` })
      return reply.code(204).send()
    })

    app.post('/containers/:id/resize', async (request, reply) => {
      const query = queryOf(request)
      const container = byId(request)
      resizeTerminal(
        container.running,
        { height: integer(query, 'h') ?? 0, width: integer(query, 'w') ?? 0 },
        container.id,
      )
      return reply.code(200).send()
    })

    app.delete('/containers/:id', async (request, reply) => {
      const query = queryOf(request)
      await removeContainer(context, byId(request), {
        force: flag(query, 'force'),
        volumes: flag(query, 'v'),
      })
      return reply.code(204).send()
    })

    app.post('/containers/:id/wait', async (request, reply) => {
      const gone = new AbortController()
      request.raw.socket.once('close', () => gone.abort())
      const exit = waitForContainer(byId(request), text(queryOf(request), 'condition') ?? '', gone.signal)
      // The client starts the container only when it has this head, so that no exit is missed.
      reply.hijack()
      reply.raw.writeHead(200, { ...reply.getHeaders(), 'content-type': 'application/json' } as Record<
        string,
        string
      >)
      reply.raw.flushHeaders()
      reply.raw.end(`${JSON.stringify({ StatusCode: await exit })}\n`)
    })

    app.get('/containers/:id/logs', async (request, reply) => {
      const container = byId(request)
      const options = logOptions(queryOf(request))
      const gone = new AbortController()
      request.raw.socket.once('close', () => gone.abort())
      const version = Number(splitVersion(request.originalUrl).version ?? maxVersion)
      const stream = Readable.from(streamLogs(container, options, gone.signal), { objectMode: false })
      void once(reply.raw, 'pipe').then(() => reply.raw.flushHeaders())
      return reply.header('content-type', streamType(container.record.config.Tty, version)).send(stream)
    })

    app.post(
      '/containers/:id/attach',
      plainHijack((hijack) => attach(api, hijack)),
    )
    hijacks.push({
      method: 'POST',
      pattern: /^\/containers\/([^/]+)\/attach$/,
      handler: (hijack) => attach(api, hijack),
    })
  }
}
