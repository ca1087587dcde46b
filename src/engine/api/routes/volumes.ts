/** /volumes. */
import type { Readable } from 'node:stream'
import type { FastifyPluginAsync, FastifyRequest } from 'fastify'
import { map, object, string } from '../../../shared/schema.ts'
import { readJson } from '../body.ts'
import type { ApiContext } from '../context.ts'
import { filters, flag, type Query } from '../query.ts'
import { checker } from '../schemas/check.ts'

const checkVolume = checker(
  object({ Name: string, Driver: string, DriverOpts: map(string), Labels: map(string) }),
)

export function volumeRoutes({ volumes }: ApiContext): FastifyPluginAsync {
  const nameOf = (request: FastifyRequest) => (request.params as { name: string }).name
  const queryOf = (request: FastifyRequest) => request.query as Query

  return async (app) => {
    app.get('/volumes', async (request) => volumes.list(filters(queryOf(request))))

    app.get('/volumes/:name', async (request) => volumes.inspect(nameOf(request)))

    app.post('/volumes/create', async (request, reply) => {
      const body = await readJson(request.body as Readable | undefined)
      checkVolume(body)
      return reply.code(201).send(await volumes.create(body))
    })

    app.delete('/volumes/:name', async (request, reply) => {
      await volumes.remove(nameOf(request), { force: flag(queryOf(request), 'force') })
      return reply.code(204).send()
    })

    app.post('/volumes/prune', async (request) => volumes.prune(filters(queryOf(request))))
  }
}
