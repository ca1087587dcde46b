/**
 * Talking to a machine's engine: the Docker Engine API over mutual TLS, as any client does.
 */
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { errnoOf, isFailure, messageOf } from '../shared/errors.ts'
import { fail } from './errors.ts'
import type { ClientCredentials } from './pki/authority.ts'

export interface EngineAddress {
  host: string
  port: number
}

export interface CallOptions {
  /** Sent as JSON; a stream as it is, such as an image's archive. */
  body?: unknown
  /** 10 s when left out. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** One engine; `close` when done with it. */
export class EngineClient {
  readonly url: string
  readonly #agent: Dispatcher
  readonly #request: typeof import('undici').request

  private constructor(url: string, agent: Dispatcher, request: typeof import('undici').request) {
    this.url = url
    this.#agent = agent
    this.#request = request
  }

  static async open({ host, port }: EngineAddress, credentials: ClientCredentials): Promise<EngineClient> {
    const { Agent, request } = await import('undici')
    const { ca, cert, key } = credentials
    const agent = new Agent({ connect: { ca, cert, key, timeout: 5_000 }, connections: 4 })
    const address = host.includes(':') ? `[${host}]` : host
    return new EngineClient(`https://${address}:${port}`, agent, request)
  }

  /**
   * The answer to one call, as JSON; undefined where it has no body.
   * @throws E_ENGINE_SILENT (retryable), E_ENGINE_TLS, E_ENGINE_ERROR with the engine's own message
   */
  async call<T>(method: 'GET' | 'POST' | 'DELETE', path: string, options: CallOptions = {}): Promise<T> {
    const { body, timeoutMs = 10_000, signal } = options
    const limit = AbortSignal.timeout(timeoutMs)
    try {
      const response = await this.#request(`${this.url}${path}`, {
        method,
        dispatcher: this.#agent,
        signal: signal ? AbortSignal.any([signal, limit]) : limit,
        ...encodeBody(body),
      })
      const text = await response.body.text()
      if (response.statusCode >= 400) throw this.#refusal(`${method} ${path}`, response.statusCode, text)
      return (text ? parseJson(text) : undefined) as T
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      if (isFailure(error)) throw error
      throw this.#unreachable(error)
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy()
  }

  #refusal(what: string, status: number, text: string): Error {
    const message = (parseJson(text) as { message?: string } | undefined)?.message ?? text.trim()
    return fail('E_ENGINE_ERROR', { url: this.url, what, status, message })
  }

  #unreachable(error: unknown): Error {
    const code = errnoOf(error) ?? ''
    const { url } = this
    if (code.startsWith('ERR_TLS') || code.startsWith('ERR_SSL') || certificateCodes.has(code)) {
      return fail('E_ENGINE_TLS', { url, why: messageOf(error) }, error)
    }
    const why =
      silences[code] ?? ((error as Error).name === 'TimeoutError' ? 'no answer in time' : messageOf(error))
    return fail('E_ENGINE_SILENT', { url, why }, error)
  }
}

function encodeBody(body: unknown): { body?: string | Readable; headers?: Record<string, string> } {
  if (body === undefined) return {}
  if (body instanceof Readable) return { body, headers: { 'content-type': 'application/x-tar' } }
  return { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
}

const certificateCodes = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
])

const silences: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'no route to the network',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
  UND_ERR_SOCKET: 'it closed the connection',
  ECONNRESET: 'it closed the connection',
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    // An answer that is no JSON is shown as it is.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
