/**
 * The network between a client and a fake cloud, at its worst: an HTTP server that hands each request to the fake,
 * counts them, and at the chosen one does what networks, clouds and kills do. A client's process is a `Life`: when
 * it is killed, nothing of it acts any more, whatever promises are still pending.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../src/shared/clock.ts'

export interface CloudCall {
  method: string
  /** Path and query. */
  url: string
  headers: Record<string, string>
  body: string
}

export interface CloudAnswer {
  status: number
  headers?: Record<string, string>
  body: string
}

/** What a fake cloud is to the gate and to the matrix. */
export interface FakeCloud {
  handle: (call: CloudCall) => Promise<CloudAnswer>
  /** `refused`: a clear no, as to one without the permission. `failed`: the cloud's own inner error. */
  errorAnswer: (kind: 'refused' | 'failed', call: CloudCall) => CloudAnswer
  /** Ids of all that lives in it and that was made through its API. */
  census: () => string[]
}

export const faults = [
  'killed before the call',
  'killed after the call',
  'request lost',
  'reply lost',
  'reply late',
  'refused',
  'failed before acting',
  'failed after acting',
] as const
export type Fault = (typeof faults)[number]

/** Time that doesn't pass but jumps: whoever sleeps is awake at once, and it is later. */
export class JumpClock implements Clock {
  #now: number

  constructor(startMs = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  after(ms: number, fn: () => void): () => void {
    this.#now += Math.max(0, ms)
    const soon = setImmediate(fn)
    return () => clearImmediate(soon)
  }
}

/** One process of the client: a door to the cloud, and a clock, that end with it. */
export class Life {
  readonly clock: Clock
  /** Fulfilled when it is killed. */
  readonly death: Promise<void>
  /** How many calls it has made. */
  calls = 0
  /** What they were, as the fake names them: method and path, or the body's start. */
  readonly log: string[] = []
  readonly #server: Server
  readonly #die: () => void
  #isDead = false

  private constructor(server: Server, clock: Clock, die: () => void, death: Promise<void>) {
    this.#server = server
    this.#die = die
    this.death = death
    this.clock = {
      now: () => clock.now(),
      after: (ms, fn) => (this.#isDead ? () => {} : clock.after(ms, () => !this.#isDead && fn())),
    }
  }

  /** @param lateMs how late a late reply comes; longer than the client's patience */
  static async begin(
    cloud: FakeCloud,
    clock: Clock,
    { fault, at = 0, lateMs = 0 }: { fault?: Fault; at?: number; lateMs?: number } = {},
  ): Promise<Life> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const server = createServer((request, response) => {
      void life.#answer(cloud, request, response, { fault, at, lateMs })
    })
    const life = new Life(server, clock, resolve, promise)
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return life
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get isDead(): boolean {
    return this.#isDead
  }

  /** What a dead process does next: nothing, for ever. */
  async gate<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isDead) return new Promise<never>(() => {})
    return work()
  }

  kill(): void {
    this.#isDead = true
    this.#die()
  }

  /** Ends it for good; what of it is still waiting for an answer never wakes up. */
  async end(): Promise<void> {
    this.#isDead = true
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  async #answer(
    cloud: FakeCloud,
    request: IncomingMessage,
    response: ServerResponse,
    { fault, at, lateMs }: { fault?: Fault; at: number; lateMs: number },
  ): Promise<void> {
    const call = await read(request)
    if (this.#isDead) return
    const isHit = this.calls++ === at
    this.log.push(`${call.method} ${call.url} ${call.body.slice(0, 60)}`)
    const act = () => cloud.handle(call)
    switch (isHit ? fault : undefined) {
      case undefined:
        return send(response, await act())
      case 'killed before the call':
        return this.kill()
      case 'killed after the call':
        await act()
        return this.kill()
      case 'request lost':
        return void request.socket.destroy()
      case 'reply lost':
        await act()
        return void request.socket.destroy()
      case 'reply late': {
        const answer = await act()
        await sleep(lateMs)
        return send(response, answer)
      }
      case 'refused':
        return send(response, cloud.errorAnswer('refused', call))
      case 'failed before acting':
        return send(response, cloud.errorAnswer('failed', call))
      case 'failed after acting':
        await act()
        return send(response, cloud.errorAnswer('failed', call))
    }
  }
}

async function read(request: IncomingMessage): Promise<CloudCall> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return {
    method: request.method ?? '',
    url: request.url ?? '',
    headers: request.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}

function send(response: ServerResponse, { status, headers, body }: CloudAnswer): void {
  if (response.destroyed) return
  response.writeHead(status, headers)
  response.end(body)
}
