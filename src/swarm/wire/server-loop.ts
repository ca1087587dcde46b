/**
 * The manager's sockets: TLS, frames and beats, on a thread of their own so that a busy main thread is never
 * taken for silent nodes. Knows nothing of what the frames say, but for the beat.
 */
import type { AddressInfo, Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { MessagePort } from 'node:worker_threads'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { encodeFrame, FrameReader, largestFrame, largestStrangersFrame } from './frames.ts'
import { Liveness } from './liveness.ts'
import { beat } from './messages.ts'
import { Slots } from './slots.ts'

export interface Certificates {
  cert: string
  key: string
  ca: string
}

export interface ServerOptions extends Certificates {
  host: string
  port: number
  graceMs: number
  /** Bounds of connections that have not shown yet who they are; for tests. */
  handshakes?: { lifeMs?: number; limit?: number; limitOfOne?: number }
}

export type ServerOrder =
  | { do: 'send'; connection: number; text: string }
  | { do: 'close'; connection: number }
  /** Expect to hear of the node, on the connection if there is one already. */
  | { do: 'expect'; nodeId: string; connection?: number; graceMs: number }
  | { do: 'forget'; nodeId: string }
  | { do: 'grace'; graceMs: number }
  | { do: 'certificates'; certificates: Certificates }
  | { do: 'stop' }

export type ServerEvent =
  | { on: 'listening'; port: number }
  | { on: 'failed'; code: string; why: string }
  /** `cert` (DER) is there when the peer showed one that the root signed. */
  | { on: 'open'; connection: number; cert?: Uint8Array; address: string }
  | { on: 'frame'; connection: number; text: string }
  | { on: 'close'; connection: number }
  | { on: 'silent'; nodeId: string }
  | { on: 'stopped' }

const tickMs = 100
/** One without a certificate has this long for its question. */
const strangersLifeMs = 10_000
const strangersLimit = 256
const strangersLimitOfOne = 64
/** TLS must stand in this time; a node needs a few round trips. */
const handshakeLifeMs = 10_000
/** Many nodes may come at once after a manager was away, and from behind one address; the rest try again. */
const handshakesLimit = 4096
const handshakesLimitOfOne = 512
/** A peer that leaves this much unread is cut off; it gets a whole set when it is back. */
const unsentLimit = 256 * 2 ** 20

export function runServer(options: ServerOptions, port: MessagePort): void {
  new ServerLoop(options, port).listen(options)
}

class ServerLoop {
  readonly #port: MessagePort
  readonly #server: Server
  readonly #sockets = new Map<number, TLSSocket>()
  /** All TCP connections, also those that are still shaking hands. */
  readonly #connections = new Set<Socket>()
  readonly #handshakes: Slots
  readonly #strangers = new Slots(strangersLimit, strangersLimitOfOne)
  /** By the address and port of the other side: how to end a handshake's place. */
  readonly #shaking = new Map<string, () => void>()
  readonly #nodes = new Map<number, string>()
  readonly #liveness = new Liveness(tickMs, performance.now())
  readonly #ticker: NodeJS.Timeout
  #graceMs: number
  #nextConnection = 1

  constructor(options: ServerOptions, port: MessagePort) {
    this.#port = port
    this.#graceMs = options.graceMs
    this.#handshakes = new Slots(
      options.handshakes?.limit ?? handshakesLimit,
      options.handshakes?.limitOfOne ?? handshakesLimitOfOne,
    )
    this.#server = createServer({
      ...tlsOptions(options),
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: options.handshakes?.lifeMs ?? handshakeLifeMs,
    })
    this.#server.on('connection', (socket: Socket) => this.#admit(socket))
    this.#server.on('secureConnection', (socket) => {
      this.#shaking.get(peerOf(socket))?.()
      this.#accept(socket)
    })
    // A failed handshake is the other side's affair; it closes the socket by itself.
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
    this.#server.on('error', (error: NodeJS.ErrnoException) =>
      this.#tell({ on: 'failed', code: error.code ?? '', why: messageOf(error) }),
    )
    port.on('message', (order: ServerOrder) => this.#obey(order))
    this.#ticker = setInterval(() => this.#tick(), tickMs)
  }

  listen({ host, port }: ServerOptions): void {
    try {
      this.#server.listen(port, host, () =>
        this.#tell({ on: 'listening', port: (this.#server.address() as AddressInfo).port }),
      )
    } catch (error) {
      // What node says at once of a port that is none.
      this.#tell({ on: 'failed', code: errnoOf(error) ?? '', why: messageOf(error) })
    }
  }

  #admit(socket: Socket): void {
    const giveBack = this.#handshakes.take(addressOf(socket))
    if (!giveBack) {
      socket.destroy()
      return
    }
    this.#connections.add(socket)
    const peer = peerOf(socket)
    const end = () => {
      giveBack()
      if (this.#shaking.get(peer) === end) this.#shaking.delete(peer)
    }
    this.#shaking.set(peer, end)
    socket.on('close', () => {
      end()
      this.#connections.delete(socket)
    })
  }

  #accept(socket: TLSSocket): void {
    const cert = socket.authorized ? socket.getPeerX509Certificate()?.raw : undefined
    const showedWrongOne = !socket.authorized && socket.getPeerX509Certificate() !== undefined
    if (showedWrongOne || (!cert && !this.#hurry(socket))) {
      socket.destroy()
      return
    }
    const connection = this.#nextConnection++
    this.#sockets.set(connection, socket)
    socket.setNoDelay(true)
    const reader = new FrameReader(cert ? largestFrame : largestStrangersFrame)
    socket.on('data', (chunk: Buffer) => this.#read(connection, socket, reader, chunk))
    // 'close' follows an error and is where it is dealt with.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => {
      this.#sockets.delete(connection)
      this.#nodes.delete(connection)
      this.#tell({ on: 'close', connection })
    })
    this.#tell({ on: 'open', connection, address: addressOf(socket), ...(cert && { cert }) })
  }

  /** @returns false when there are too many of them */
  #hurry(socket: TLSSocket): boolean {
    const giveBack = this.#strangers.take(addressOf(socket))
    if (!giveBack) return false
    const timer = setTimeout(() => socket.destroy(), strangersLifeMs)
    socket.on('close', () => {
      clearTimeout(timer)
      giveBack()
    })
    return true
  }

  #read(connection: number, socket: TLSSocket, reader: FrameReader, chunk: Buffer): void {
    let frames: string[]
    try {
      frames = reader.push(chunk)
    } catch {
      // Too large a frame: no peer of ours sends one, and there is no way to find the next.
      socket.destroy()
      return
    }
    const nodeId = this.#nodes.get(connection)
    if (nodeId !== undefined) this.#liveness.heard(nodeId, performance.now(), this.#graceMs)
    for (const text of frames) {
      if (text === beat) this.#write(socket, beat)
      else this.#tell({ on: 'frame', connection, text })
    }
  }

  #write(socket: TLSSocket, text: string): void {
    socket.write(encodeFrame(text))
    if (socket.writableLength > unsentLimit) socket.destroy()
  }

  #obey(order: ServerOrder): void {
    switch (order.do) {
      case 'send': {
        const socket = this.#sockets.get(order.connection)
        if (socket) this.#write(socket, order.text)
        break
      }
      case 'close':
        this.#sockets.get(order.connection)?.end()
        break
      case 'expect':
        if (order.connection !== undefined) this.#bind(order.connection, order.nodeId)
        this.#liveness.expect(order.nodeId, performance.now(), order.graceMs)
        break
      case 'forget':
        this.#liveness.forget(order.nodeId)
        break
      case 'grace':
        this.#graceMs = order.graceMs
        break
      case 'certificates':
        this.#server.setSecureContext(tlsOptions(order.certificates))
        break
      case 'stop':
        this.#stop()
        break
    }
  }

  /** From now on frames on this connection, and on no other, count for the node. */
  #bind(connection: number, nodeId: string): void {
    for (const [other, node] of this.#nodes) if (node === nodeId) this.#nodes.delete(other)
    if (this.#sockets.has(connection)) this.#nodes.set(connection, nodeId)
  }

  #tick(): void {
    for (const nodeId of this.#liveness.tick(performance.now())) this.#tell({ on: 'silent', nodeId })
  }

  #stop(): void {
    clearInterval(this.#ticker)
    for (const socket of this.#connections) socket.destroy()
    this.#server.close(() => {
      this.#tell({ on: 'stopped' })
      this.#port.close()
    })
  }

  #tell(event: ServerEvent): void {
    this.#port.postMessage(event)
  }
}

function addressOf({ remoteAddress = '' }: Socket): string {
  return remoteAddress.replace(/^::ffff:/, '')
}

/** The same of a TCP connection and of the TLS on it. */
function peerOf(socket: Socket): string {
  return `${addressOf(socket)} ${socket.remotePort}`
}

/** The chain carries the root too, so that one who joins can compare it with his token. */
function tlsOptions({ cert, key, ca }: Certificates) {
  return { cert: `${cert}${ca}`, key, ca, minVersion: 'TLSv1.3' as const }
}
