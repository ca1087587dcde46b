/**
 * The Docker Engine API's server. It decides what all routes share: version prefixes, headers, errors, bodies
 * that are streams, and connections that a client takes over. A root mounts further nouns (the swarm's) as
 * fastify plugins, and listens where the user asked (listen.ts).
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { type FastifyInstance, type FastifyPluginAsync, fastify } from 'fastify'
import { type Failure, isFailure, messageOf } from '../../shared/errors.ts'
import { diskFailure } from '../containers/errors.ts'
import { discardRest } from './body.ts'
import type { ApiContext } from './context.ts'
import { type HijackHandler, type HijackTable, splitVersion } from './hijack.ts'
import { containerRoutes } from './routes/containers.ts'
import { eventRoutes } from './routes/events.ts'
import { execRoutes } from './routes/exec.ts'
import { imageRoutes } from './routes/images.ts'
import { networkRoutes } from './routes/networks.ts'
import { systemRoutes } from './routes/system.ts'
import { volumeRoutes } from './routes/volumes.ts'
import { maxVersion, minVersion, versionProblem } from './versions.ts'

export interface Api {
  app: FastifyInstance
  /** Handles one plain request; shared by every listener. */
  handler: (request: IncomingMessage, response: import('node:http').ServerResponse) => void
  /** Handles one request with an Upgrade header. */
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void
}

/** Makes the API, ready for requests. */
export async function createApi(context: ApiContext, plugins: FastifyPluginAsync[] = []): Promise<Api> {
  let handler: Api['handler'] | undefined
  const app = fastify({
    serverFactory: (handle) => {
      handler = handle as Api['handler']
      return createServer(handle as Api['handler']) as Server
    },
    rewriteUrl: (request) => splitVersion(request.url ?? '/').path,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
    bodyLimit: Number.MAX_SAFE_INTEGER,
    // Streams of hours are normal here; what is bounded is bounded by its route.
    requestTimeout: 0,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
  })
  app.removeAllContentTypeParsers()
  // Every body is a stream; routes that want JSON read it themselves (body.ts).
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload))
  addHeaders(app, context)
  addErrors(app, context)
  const hijacks: HijackTable = []
  await app.register(systemRoutes(context))
  await app.register(containerRoutes(context, hijacks))
  await app.register(execRoutes(context, hijacks))
  await app.register(eventRoutes(context))
  await app.register(imageRoutes(context))
  await app.register(networkRoutes(context))
  await app.register(volumeRoutes(context))
  for (const plugin of plugins) await app.register(plugin)
  await app.ready()
  return {
    app,
    handler: (request, response) => handler!(request, response),
    upgrade: (request, socket, head) => upgrade(context, hijacks, request, socket, head),
  }
}

function addHeaders(app: FastifyInstance, context: ApiContext): void {
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'Api-Version': maxVersion,
      'Docker-Experimental': 'false',
      Ostype: 'linux',
      Server: `tshost/${context.system.version} (linux)`,
    })
    const problem = versionProblem(splitVersion(request.originalUrl).version)
    if (problem) throw problem
  })
}

function addErrors(app: FastifyInstance, context: ApiContext): void {
  app.setNotFoundHandler(async (_request, reply) => sendError(reply, 404, 'page not found'))
  app.setErrorHandler(async (raw, request, reply) => {
    const error = diskFailure(raw, context.system.dataRoot)
    const status = statusOf(error)
    if (status >= 500)
      context.log.error({ err: error, method: request.method, url: request.url }, messageOf(error))
    // What is left of a long body is for nobody, and the next request on this connection would wait behind it.
    if (!(await discardRest(request.raw))) void reply.header('connection', 'close')
    // 304 has no body.
    if (status === 304) return reply.code(304).send()
    return sendError(reply, status, messageOf(error))
  })
}

/** The status of an error: a failure's own, fastify's own for a malformed request, else 500. */
export function statusOf(error: unknown): number {
  if (isFailure(error)) return (error as Failure).http
  const { statusCode } = error as { statusCode?: unknown }
  return typeof statusCode === 'number' ? statusCode : 500
}

/** Go's client compares the media type with this exact text: no charset behind it. */
function sendError(reply: import('fastify').FastifyReply, status: number, message: string) {
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(`${JSON.stringify({ message })}\n`))
}

function upgrade(
  context: ApiContext,
  hijacks: HijackTable,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  socket.on('error', (error) => context.log.debug({ err: error }, 'a hijacked connection broke'))
  const { path, version } = splitVersion(request.url ?? '/')
  const url = new URL(path, 'http://localhost')
  const route = hijacks.find((r) => r.method === request.method && r.pattern.test(url.pathname))
  const problem = versionProblem(version)
  if (!route || problem) {
    refuse(socket, route ? 400 : 404, problem ? messageOf(problem) : 'page not found')
    return
  }
  const id = decodeURIComponent(route.pattern.exec(url.pathname)![1]!)
  const query = Object.fromEntries(url.searchParams)
  // Bytes that came with the head belong to the stream that follows.
  if (head.length > 0) socket.unshift(head)
  route
    .handler({ id, query, version: Number(version ?? maxVersion), request, socket, upgraded: true })
    .catch((error: unknown) => refuse(socket, statusOf(error), messageOf(error)))
}

/** An answer on a connection that was to be taken over; nothing was written to it yet. */
function refuse(socket: Duplex, status: number, message: string): void {
  const body = `${JSON.stringify({ message })}\n`
  socket.end(
    `HTTP/1.1 ${status} ${status === 404 ? 'Not Found' : 'Error'}\r\nContent-Type: application/json\r\n` +
      `Api-Version: ${maxVersion}\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

export type { HijackHandler }
export { minVersion }
