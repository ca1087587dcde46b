/**
 * Calls to an engine's API: JSON in, JSON out. Node's own http, since a client library costs a command more
 * time than the call.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { formatMs } from '../../shared/deadline.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { Endpoint } from './connection.ts'

type Query = Record<string, string | number | boolean | Record<string, string[]> | undefined>

export interface ApiLimits {
  connectMs: number
  answerMs: number
  /** For what waits for managers and containers itself. */
  longAnswerMs: number
}

const usualLimits: ApiLimits = { connectMs: 5000, answerMs: 15_000, longAnswerMs: 60_000 }
const longCalls = ['/swarm/init', '/swarm/join', '/swarm/leave']

export class EngineApi {
  readonly endpoint: Endpoint
  readonly #limits: ApiLimits

  constructor(endpoint: Endpoint, limits: Partial<ApiLimits> = {}) {
    this.endpoint = endpoint
    this.#limits = { ...usualLimits, ...limits }
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#call<T>('GET', path, query)
  }

  post<T>(path: string, body?: unknown, query: Query = {}): Promise<T> {
    return this.#call<T>('POST', path, query, body)
  }

  delete(path: string, query: Query = {}): Promise<void> {
    return this.#call<void>('DELETE', path, query)
  }

  /** @throws E_API_UNREACHABLE, E_API_UNTRUSTED, E_API_REFUSED with the engine's own words */
  async #call<T>(method: string, path: string, query: Query, body?: unknown): Promise<T> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers: Record<string, string> = { accept: 'application/json' }
    if (text !== undefined) {
      headers['content-type'] = 'application/json'
      headers['content-length'] = `${Buffer.byteLength(text)}`
    }
    const { answerMs, longAnswerMs } = this.#limits
    const timeout = longCalls.includes(path) ? longAnswerMs : answerMs
    const options = { method, path: path + formatQuery(query), headers, timeout }
    const { status, answer } = await this.#send(options, text)
    if (status >= 400) {
      const message =
        (parse(answer) as { message?: string } | undefined)?.message ?? (answer.trim() || `status ${status}`)
      throw fail('E_API_REFUSED', { message: inOwnWords(message), status })
    }
    return parse(answer) as T
  }

  #send(options: RequestOptions, body: string | undefined): Promise<{ status: number; answer: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; answer: string }>()
    const request = this.#open(options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 500, answer: Buffer.concat(chunks).toString() }),
      )
    })
    const { connectMs } = this.#limits
    const slow = setTimeout(
      () => request.destroy(new Error(`no connection within ${formatMs(connectMs)}`)),
      connectMs,
    )
    request.on('close', () => clearTimeout(slow))
    request.on('socket', (socket) => {
      if (request.reusedSocket) clearTimeout(slow)
      else socket.once(this.endpoint.tls ? 'secureConnect' : 'connect', () => clearTimeout(slow))
    })
    request.on('timeout', () =>
      request.destroy(new Error(`no answer within ${formatMs(options.timeout ?? 0)}`)),
    )
    request.on('error', (error) => reject(this.#describe(error)))
    request.end(body)
    return promise
  }

  #open(options: RequestOptions, listener: (response: IncomingMessage) => void) {
    const { url, tls } = this.endpoint
    if (url.startsWith('unix://'))
      return httpRequest({ ...options, socketPath: url.slice('unix://'.length) }, listener)
    const { hostname, port } = new URL(url.replace(/^tcp:/, 'http:'))
    const host = hostname.replace(/^\[|\]$/g, '')
    const address = { ...options, host, port: port || (tls ? 2376 : 2375) }
    if (!tls) return httpRequest(address, listener)
    const { ca, cert, key, verify } = tls
    const secrets = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
    return httpsRequest({ ...address, ...secrets, rejectUnauthorized: verify }, listener)
  }

  #describe(error: Error): Error {
    const reasons: Record<string, string> = {
      ENOENT: 'there is no such socket',
      EACCES: 'no permission to use the socket',
      ECONNREFUSED: 'nobody listens there',
      ECONNRESET: 'it closed the connection',
    }
    if (isDistrust(error))
      return fail('E_API_UNTRUSTED', { url: this.endpoint.url, why: error.message }, error)
    const why = reasons[errnoOf(error) ?? ''] ?? messageOf(error)
    return fail('E_API_UNREACHABLE', { url: this.endpoint.url, why }, error)
  }
}

/** Engines name the docker command, which a user of this one may not have. */
function inOwnWords(message: string): string {
  return message.replace(/"docker swarm (init|join|leave)"/g, '"tsswarm $1"')
}

/** Whether the other side's certificate was refused; OpenSSL's names for that, and node's own. */
function isDistrust(error: Error): boolean {
  return /^(?:UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA|ERR_TLS_CERT_)/.test(errnoOf(error) ?? '')
}

function formatQuery(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue
    parameters.set(key, typeof value === 'object' ? JSON.stringify(value) : `${value}`)
  }
  return parameters.size > 0 ? `?${parameters}` : ''
}

/** Undefined for an empty answer, and for one that is no JSON. */
function parse(text: string): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
