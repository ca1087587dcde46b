/**
 * The resolver that containers on user-defined and overlay networks have at 127.0.0.11. Its sockets are opened
 * inside each container's namespace, so a question comes from whoever can reach them and from nobody else, and
 * the daemon answers it here. They have ports of the kernel's choice: a name server in a container may have 53.
 */
import { createSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import { type DecodedPacket, decode, encode } from 'dns-packet'
import { messageOf } from '../../../shared/errors.ts'
import { openBoundSocket, portOf } from '../../kernel/netns-sockets.ts'
import type { Log } from '../context.ts'
import { resolverAddress } from '../files.ts'
import { answerLocally, encodeForDatagram, rcodes, reply, type Zone } from './answer.ts'
import { Forwarder } from './forwarder.ts'

/** Whose questions are answered, and from what. */
export interface ResolverClient {
  /** The container's id. */
  id: string
  /** A descriptor of its namespace; loopback is up there. */
  namespace: number
  /** Asked at each question. */
  zone: Zone
  /** Where the rest is asked; the host's own servers among them, also those on its loopback. */
  servers: () => readonly string[]
}

export interface OpenResolver {
  udpPort: number
  tcpPort: number
  close(): void
}

/** An idle connection is closed after this. */
const idleMs = 10_000
/** Connections of one container at a time. */
const connectionLimit = 32

export class Resolver {
  readonly #forwarder: Forwarder
  readonly #log: Log

  /** @param namespace the host's, where servers are asked from */
  constructor({ namespace, log }: { namespace?: number; log: Log }) {
    this.#forwarder = new Forwarder({ namespace, log })
    this.#log = log
  }

  /** Begins to answer a container. @throws SystemCallError */
  open(client: ResolverClient): OpenResolver {
    const { namespace } = client
    const at = { address: resolverAddress, port: 0, namespace }
    const udpFd = openBoundSocket({ ...at, protocol: 'udp' })
    const udpPort = portOf(udpFd)
    const udp = createSocket('udp4')
    let isOpen = true
    udp.on('error', (error) => this.#log.warn({ container: client.id, reason: messageOf(error) }, 'resolver'))
    udp.on('message', (message, from) => {
      this.#answerDatagram(client, message, (answer) => {
        // Port 0 can be nobody's to answer to, but anybody's to send from; and a container may be gone by now.
        if (isOpen && from.port !== 0) udp.send(answer, from.port, from.address)
      })
    })
    udp.bind({ fd: udpFd })
    const tcpFd = openOr(
      () => openBoundSocket({ ...at, protocol: 'tcp' }),
      () => udp.close(),
    )
    const tcpPort = portOf(tcpFd)
    const tcp = createServer((socket) => this.#serve(client, socket))
    tcp.maxConnections = connectionLimit
    tcp.on('error', (error) => this.#log.warn({ container: client.id, reason: messageOf(error) }, 'resolver'))
    tcp.listen({ fd: tcpFd })
    const close = () => {
      isOpen = false
      udp.close()
      tcp.close()
    }
    return { udpPort, tcpPort, close }
  }

  #answerDatagram(client: ResolverClient, message: Buffer, send: (answer: Buffer) => void): void {
    const query = decodeQuery(message)
    if (!query) return
    const local = answerLocally(query, client.zone)
    if (local) {
      send(encodeForDatagram(query, local))
      return
    }
    this.#pass(client, query, message, false, send)
  }

  /** Several questions may come over one connection, each after its length (RFC 7766). */
  #serve(client: ResolverClient, socket: Socket): void {
    let received: Buffer = Buffer.alloc(0)
    socket.setTimeout(idleMs, () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data])
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        const end = 2 + received.readUInt16BE(0)
        this.#answerStream(client, received.subarray(2, end), socket)
        received = received.subarray(end)
      }
    })
  }

  #answerStream(client: ResolverClient, message: Buffer, socket: Socket): void {
    const query = decodeQuery(message)
    if (!query) {
      socket.destroy()
      return
    }
    const send = (answer: Buffer) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(answer.length)
      if (socket.writable) socket.write(Buffer.concat([length, answer]))
    }
    const local = answerLocally(query, client.zone)
    if (local) send(encode(local))
    else this.#pass(client, query, message, true, send)
  }

  /** Asks a server for the answer; whatever goes wrong on the way concerns this question alone. */
  #pass(
    client: ResolverClient,
    query: DecodedPacket,
    message: Buffer,
    overTcp: boolean,
    send: (answer: Buffer) => void,
  ): void {
    const ask = async () => {
      const answer = await this.#forwarder.ask(client.id, message, client.servers(), overTcp)
      send(answer ?? encode(reply(query, rcodes.serverFailure)))
    }
    ask().catch((error: unknown) =>
      this.#log.warn({ container: client.id, reason: messageOf(error) }, 'a question could not be passed on'),
    )
  }
}

/** What `open` returns; where it throws, `undo` is called before. */
function openOr<T>(open: () => T, undo: () => void): T {
  try {
    return open()
  } catch (error) {
    undo()
    throw error
  }
}

/** Undefined for what is no question: nothing is answered to that. */
function decodeQuery(message: Buffer): DecodedPacket | undefined {
  try {
    const packet = decode(message)
    return packet.type === 'query' ? packet : undefined
  } catch {
    return undefined
  }
}
