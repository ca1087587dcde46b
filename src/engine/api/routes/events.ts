/** GET /events: a stream of JSON objects, past ones first where `since` asks for them. */
import { PassThrough } from 'node:stream'
import type { FastifyPluginAsync } from 'fastify'
import { failures } from '../../../shared/errors.ts'
import type { EngineEvent } from '../../events.ts'
import type { ApiContext } from '../context.ts'
import { filters, type Query, timeNs } from '../query.ts'

const fail = failures({
  E_EVENT_FILTER: { kind: 'user', http: 400, text: (p: { name: string }) => `invalid filter '${p.name}'` },
} as const)

type Test = (event: EngineEvent, value: string) => boolean

const byType =
  (type: string): Test =>
  (e, value) =>
    e.Type === type && (e.Actor.ID.startsWith(value) || e.Actor.Attributes.name === value)

const tests: Record<string, Test> = {
  type: (e, value) => e.Type === value,
  event: (e, value) => e.Action === value || e.Action.startsWith(`${value}:`),
  label: (e, value) => {
    const at = value.indexOf('=')
    return at < 0
      ? e.Actor.Attributes[value] !== undefined
      : e.Actor.Attributes[value.slice(0, at)] === value.slice(at + 1)
  },
  scope: (e, value) => e.scope === value,
  container: byType('container'),
  network: byType('network'),
  volume: byType('volume'),
  daemon: byType('daemon'),
  plugin: byType('plugin'),
  node: byType('node'),
  service: byType('service'),
  secret: byType('secret'),
  config: byType('config'),
  image: (e, value) =>
    (e.Type === 'image' && (e.Actor.ID === value || e.Actor.Attributes.name === value)) ||
    e.Actor.Attributes.image === value,
}

export function eventRoutes(context: ApiContext): FastifyPluginAsync {
  return async (app) => {
    app.get('/events', async (request, reply) => {
      const query = request.query as Query
      const wanted = Object.entries(filters(query))
      for (const [name] of wanted) if (!tests[name]) throw fail('E_EVENT_FILTER', { name })
      const since = timeNs(query, 'since')
      const until = timeNs(query, 'until')
      const passes = (event: EngineEvent) =>
        wanted.every(([name, values]) => values.some((value) => tests[name]!(event, value)))
      const stream = new PassThrough()
      const send = (event: EngineEvent) => {
        if (passes(event)) stream.write(`${encodeEvent(event)}\n`)
      }
      if (since !== undefined) {
        for (const event of context.events.past()) {
          if (event.timeNano >= since && (until === undefined || event.timeNano <= until)) send(event)
        }
      }
      const now = Temporal.Now.instant().epochNanoseconds
      if (until !== undefined && until <= now) stream.end()
      else {
        const unsubscribe = context.events.subscribe(send)
        const timer =
          until === undefined ? undefined : setTimeout(() => stream.end(), Number((until - now) / 1_000_000n))
        const stop = () => {
          unsubscribe()
          clearTimeout(timer)
        }
        stream.once('close', stop)
        request.raw.socket.once('close', () => stream.destroy())
      }
      // The client waits for the head before it shows anything.
      reply.raw.once('pipe', () => reply.raw.flushHeaders())
      return reply.header('content-type', 'application/json').send(stream)
    })
  }
}

/** With the fields that API versions before 1.52 have at the top as well. */
function encodeEvent(event: EngineEvent): string {
  const legacy =
    event.Type === 'container' || event.Type === 'image'
      ? { status: event.Action, id: event.Actor.ID, from: event.Actor.Attributes.image }
      : {}
  const { timeNano, ...rest } = event
  const text = JSON.stringify({ ...legacy, ...rest })
  // More digits than a JavaScript number holds.
  return `${text.slice(0, -1)},"timeNano":${timeNano}}`
}
