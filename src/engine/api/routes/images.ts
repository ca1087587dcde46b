/** /images: names hold slashes and colons, so that what stands behind them is found from the end. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { failures, messageOf } from '../../../shared/errors.ts'
import { chunksOf } from '../body.ts'
import type { ApiContext } from '../context.ts'
import { filters, flag, type Query, text } from '../query.ts'

const fail = failures({
  E_NO_REGISTRY: {
    kind: 'user',
    http: 404,
    text: (p: { name: string }) =>
      `pull access denied for ${p.name}: this engine does not pull from registries yet`,
    next: () => 'load the image from an archive: docker load < image.tar',
  },
  E_IMAGE_ROUTE: { kind: 'user', http: 404, text: () => 'page not found' },
} as const)

export function imageRoutes({ images }: ApiContext): FastifyPluginAsync {
  const queryOf = (request: FastifyRequest) => request.query as Query
  /** "/images/a/b:c/json" -> ["a/b:c", "json"] */
  const split = (request: FastifyRequest) => {
    const path = (request.params as { '*': string })['*']
    const at = path.lastIndexOf('/')
    return at < 0 ? { name: path, verb: '' } : { name: path.slice(0, at), verb: path.slice(at + 1) }
  }

  return async (app) => {
    app.get('/images/json', async (request) => {
      const query = queryOf(request)
      return images.list({ filters: filters(query) })
    })

    app.post('/images/load', async (request, reply) => {
      const quiet = flag(queryOf(request), 'quiet')
      const progress = new ProgressStream()
      void images
        .load(chunksOf(request.body as Readable), (p) => {
          if (!quiet || p.stream) progress.send(p)
        })
        .then(
          () => progress.end(),
          (error: unknown) => progress.fail(error),
        )
      return progress.answer(reply)
    })

    app.post('/images/create', async (request) => {
      throw fail('E_NO_REGISTRY', {
        name: text(queryOf(request), 'fromImage') ?? text(queryOf(request), 'fromSrc') ?? '',
      })
    })

    app.get('/images/get', async (request, reply) => {
      const { names } = queryOf(request)
      return sendArchive(reply, images.save(Array.isArray(names) ? names : names ? [names] : []))
    })

    app.get('/images/*', async (request, reply) => {
      const { name, verb } = split(request)
      if (verb === 'json') return images.inspect(name)
      if (verb === 'history') return images.history(name)
      if (verb === 'get') return sendArchive(reply, images.save([name]))
      throw fail('E_IMAGE_ROUTE', {})
    })

    app.post('/images/*', async (request, reply) => {
      const { name, verb } = split(request)
      const query = queryOf(request)
      if (verb === 'tag') {
        await images.tag(name, text(query, 'repo') ?? '', text(query, 'tag') || undefined)
        return reply.code(201).send()
      }
      if (verb === 'push') throw fail('E_NO_REGISTRY', { name })
      throw fail('E_IMAGE_ROUTE', {})
    })

    app.post('/images/prune', async (request) => images.prune(filters(queryOf(request))))

    app.delete('/images/*', async (request) => {
      const query = queryOf(request)
      const name = (request.params as { '*': string })['*']
      return images.remove(name, { force: flag(query, 'force'), noPrune: flag(query, 'noprune') })
    })
  }
}

function sendArchive(reply: FastifyReply, archive: AsyncGenerator<Buffer>): FastifyReply {
  return reply.header('content-type', 'application/x-tar').send(Readable.from(archive, { objectMode: false }))
}

/**
 * JSON objects ended by CRLF, each sent as it comes. Before the first a failure still has a status of its own;
 * after it the failure is the last object.
 */
class ProgressStream {
  private readonly stream = new Readable({ read: () => undefined })
  private first = Promise.withResolvers<void>()
  private started = false

  send(object: object): void {
    this.started = true
    this.first.resolve()
    this.stream.push(`${JSON.stringify(object)}\r\n`)
  }

  end(): void {
    this.first.resolve()
    this.stream.push(null)
  }

  fail(error: unknown): void {
    if (!this.started) {
      this.first.reject(error)
      return
    }
    const message = messageOf(error)
    this.send({ errorDetail: { message }, error: message })
    this.end()
  }

  async answer(reply: FastifyReply): Promise<FastifyReply> {
    await this.first.promise
    void once(reply.raw, 'pipe').then(() => reply.raw.flushHeaders())
    return reply.header('content-type', 'application/json').send(this.stream)
  }
}
