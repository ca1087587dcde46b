/**
 * Connections that a client takes over for a stream of its own: attach and exec. A newer client asks with
 * "Upgrade: tcp" and gets 101; an older one just goes on after a 200.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Query } from './query.ts'
import { maxVersion } from './versions.ts'

export interface Hijack {
  /** From the path: a container's or an exec session's. */
  id: string
  query: Query
  version: number
  request: IncomingMessage
  socket: Duplex
  upgraded: boolean
  onTakeOver?: () => void
}

/** May throw before it has called `takeOver`; after that errors go in-band. */
export type HijackHandler = (hijack: Hijack) => Promise<void>

export type HijackTable = { method: string; pattern: RegExp; handler: HijackHandler }[]

/** Answers, and makes the connection a plain stream. */
export function takeOver({ socket, upgraded, onTakeOver }: Hijack, contentType: string): void {
  onTakeOver?.()
  socket.write(
    upgraded
      ? `HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`
      : `HTTP/1.1 200 OK\r\nContent-Type: ${contentType}\r\n\r\n`,
  )
}

/** The same handler for a client that does not ask for an upgrade. */
export function plainHijack(handler: HijackHandler) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { id } = request.params as { id: string }
    const { version } = splitVersion(request.originalUrl)
    const { socket } = request.raw
    await handler({
      id,
      query: request.query as Query,
      version: Number(version ?? maxVersion),
      request: request.raw,
      socket,
      upgraded: false,
      onTakeOver: () => reply.hijack(),
    })
    return reply
  }
}

/** "/v1.43/x?y" -> {path: "/x?y", version: "1.43"} */
export function splitVersion(url: string): { path: string; version?: string } {
  const match = /^\/v(\d{1,3}\.\d{1,3})(\/.*|\?.*|)$/.exec(url)
  return match ? { path: match[2] || '/', version: match[1] } : { path: url }
}
