/**
 * The manager's end of all streams, as the dispatcher sees it: connections, messages, silent nodes.
 */
import { within } from '../../shared/deadline.ts'
import { messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { ToManager, ToWorker } from './messages.ts'
import { type Far, startHere, startThread } from './port.ts'
import {
  type Certificates,
  runServer,
  type ServerEvent,
  type ServerOptions,
  type ServerOrder,
} from './server-loop.ts'

/** One stream. Its peer has a certificate of the swarm's root, or none. */
export interface Connection {
  id: number
  /** DER. */
  cert?: Uint8Array
  address: string
}

export interface ServerListener {
  received(connection: Connection, message: ToManager): void
  closed(connection: Connection): void
  /** The node was not heard of in its time, whatever the reason. */
  silent(nodeId: string): void
  /** A connection could not be taken, for want of descriptors perhaps; the next one may be. */
  troubled?(why: string): void
  /** The thread itself died, after the port was open. */
  failed(error: Error): void
}

export interface WireServerOptions extends ServerOptions {
  /** False runs the sockets in this thread, for tests. */
  ownThread?: boolean
}

/** Starts to listen. @throws E_LISTEN when the address can't be had */
export async function startWireServer(
  options: WireServerOptions,
  listener: ServerListener,
): Promise<WireServer> {
  const { ownThread = true, ...data } = options
  const far: Far<ServerOrder, ServerEvent> = ownThread
    ? startThread('server-thread', import.meta.url, data, (error) => server.fail(error))
    : startHere((port) => runServer(data, port))
  const server = new WireServer(far, listener)
  try {
    await within('the swarm port to open', 10_000, server.listening)
  } catch (error) {
    await far.close()
    throw error
  }
  return server
}

export class WireServer {
  readonly #far: Far<ServerOrder, ServerEvent>
  readonly #listener: ServerListener
  readonly #connections = new Map<number, Connection>()
  readonly #opened = Promise.withResolvers<void>()
  readonly #stopped = Promise.withResolvers<void>()
  #port = 0

  constructor(far: Far<ServerOrder, ServerEvent>, listener: ServerListener) {
    this.#far = far
    this.#listener = listener
    far.listen((event) => this.#hear(event))
  }

  get listening(): Promise<void> {
    return this.#opened.promise
  }

  /** The TCP port, also where 0 was asked for. */
  get port(): number {
    return this.#port
  }

  /** The thread itself died: who still waits for the port hears of it there. */
  fail(error: Error): void {
    if (this.#port === 0) this.#opened.reject(fail('E_LISTEN', { why: messageOf(error) }, error))
    else this.#listener.failed(error)
  }

  isOpen(connection: Connection): boolean {
    return this.#connections.has(connection.id)
  }

  send(connection: Connection, message: ToWorker): void {
    this.sendText(connection, JSON.stringify(message))
  }

  /** For a message that goes to many: made into text once. */
  sendText(connection: Connection, text: string): void {
    if (this.#connections.has(connection.id)) this.#far.send({ do: 'send', connection: connection.id, text })
  }

  /** Ends the stream after what was sent. */
  end(connection: Connection): void {
    this.#far.send({ do: 'close', connection: connection.id })
  }

  /** Calls `silent` when nothing is heard of the node for `graceMs`, and then for the server's grace each time. */
  expect(nodeId: string, graceMs: number, connection?: Connection): void {
    this.#far.send({ do: 'expect', nodeId, graceMs, ...(connection && { connection: connection.id }) })
  }

  forget(nodeId: string): void {
    this.#far.send({ do: 'forget', nodeId })
  }

  setGrace(graceMs: number): void {
    this.#far.send({ do: 'grace', graceMs })
  }

  setCertificates(certificates: Certificates): void {
    this.#far.send({ do: 'certificates', certificates })
  }

  async stop(): Promise<void> {
    this.#far.send({ do: 'stop' })
    await within('the swarm port to close', 5000, Promise.race([this.#stopped.promise, this.#far.ended]))
    await this.#far.close()
  }

  #hear(event: ServerEvent): void {
    switch (event.on) {
      case 'listening':
        this.#port = event.port
        this.#opened.resolve()
        break
      case 'failed':
        if (this.#port === 0) this.#opened.reject(fail('E_LISTEN', event))
        else this.#listener.troubled?.(event.why)
        break
      case 'open':
        this.#connections.set(event.connection, {
          id: event.connection,
          address: event.address,
          ...(event.cert && { cert: event.cert }),
        })
        break
      case 'frame':
        this.#receive(event.connection, event.text)
        break
      case 'close':
        this.#close(event.connection)
        break
      case 'silent':
        this.#listener.silent(event.nodeId)
        break
      case 'stopped':
        this.#stopped.resolve()
        break
    }
  }

  #receive(id: number, text: string): void {
    const connection = this.#connections.get(id)
    if (!connection) return
    const message = parse(text)
    if (message) this.#listener.received(connection, message)
    else this.end(connection)
  }

  #close(id: number): void {
    const connection = this.#connections.get(id)
    this.#connections.delete(id)
    if (connection) this.#listener.closed(connection)
  }
}

/** Undefined when it isn't a message at all. What is inside is checked where it is used. */
function parse(text: string): ToManager | undefined {
  try {
    const message: unknown = JSON.parse(text)
    return typeof (message as { t?: unknown } | null)?.t === 'string' ? (message as ToManager) : undefined
  } catch {
    // Not JSON: the caller ends the stream of such a peer.
    return undefined
  }
}
