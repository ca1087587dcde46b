/**
 * Passes questions on to the host's servers: three at most, one after the other, within a limit of time and of
 * questions under way. What comes back is passed on as it came, once it is known to be the answer.
 */
import { randomInt } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { Socket as Connection, createConnection, isIPv6 } from 'node:net'
import { messageOf } from '../../../shared/errors.ts'
import { openBoundSocket, openConnectingSocket } from '../../kernel/netns-sockets.ts'
import type { Log } from '../context.ts'

export interface ForwarderOptions {
  /** The host's namespace; this process's when left out. */
  namespace?: number
  log: Log
}

/** As Docker: libnetwork's resolver asks three servers, four seconds each. */
const serverLimit = 3
const serverTimeoutMs = 4000
const port = 53
/** Of one container, so that none takes all; and of all. */
const limitEach = 100
const limitAll = 1024

export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #underWay = new Map<string, number>()
  #total = 0

  constructor(options: ForwarderOptions) {
    this.#options = options
  }

  /**
   * Asks the servers in turn.
   * @param who the container, for the limit
   * @returns the first one's answer with the query's own id; undefined where none answered or too much is asked
   */
  async ask(
    who: string,
    query: Buffer,
    servers: readonly string[],
    overTcp: boolean,
  ): Promise<Buffer | undefined> {
    const own = this.#underWay.get(who) ?? 0
    if (own >= limitEach || this.#total >= limitAll || query.length < 12) return undefined
    this.#underWay.set(who, own + 1)
    this.#total++
    try {
      for (const server of servers.slice(0, serverLimit)) {
        try {
          return overTcp ? await this.#askByTcp(server, query) : await this.#askByUdp(server, query)
        } catch (error) {
          this.#options.log.debug({ server, reason: messageOf(error) }, 'a name server did not answer')
        }
      }
      return undefined
    } finally {
      this.#total--
      const left = this.#underWay.get(who)! - 1
      if (left > 0) this.#underWay.set(who, left)
      else this.#underWay.delete(who)
    }
  }

  /** A socket and an id of its own for each question: both must be guessed to forge an answer (RFC 5452). */
  #askByUdp(server: string, query: Buffer): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const id = randomInt(0x10000)
    const socket = this.#openUdp(server)
    const timer = setTimeout(() => reject(new Error('no answer in time')), serverTimeoutMs)
    socket.on('error', reject)
    socket.on('message', (answer) => {
      if (isAnswerTo(answer, query, id)) resolve(withId(answer, query.readUInt16BE(0)))
    })
    // Connected, it takes datagrams from the server only, and a closed port is told at once.
    socket.connect(port, server, () => socket.send(withId(query, id)))
    return promise.finally(() => {
      clearTimeout(timer)
      socket.close()
    })
  }

  #openUdp(server: string): Socket {
    if (isIPv6(server)) return createSocket('udp6')
    const { namespace } = this.#options
    const socket = createSocket('udp4')
    if (namespace !== undefined) {
      socket.bind({ fd: openBoundSocket({ protocol: 'udp', address: '0.0.0.0', port: 0, namespace }) })
    }
    return socket
  }

  #openTcp(server: string): Connection {
    const { namespace } = this.#options
    return namespace === undefined || isIPv6(server)
      ? createConnection({ host: server, port })
      : new Connection({ fd: openConnectingSocket(server, port, namespace) })
  }

  #askByTcp(server: string, query: Buffer): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
    const socket = this.#openTcp(server)
    socket.setTimeout(serverTimeoutMs, () => socket.destroy(new Error('no answer in time')))
    let received: Buffer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('the server hung up')))
    socket.on('data', (data: Buffer) => {
      received = Buffer.concat([received, data])
      const length = received.length < 2 ? Number.POSITIVE_INFINITY : received.readUInt16BE(0)
      if (received.length >= 2 + length) resolve(received.subarray(2, 2 + length))
    })
    const length = Buffer.alloc(2)
    length.writeUInt16BE(query.length)
    socket.write(Buffer.concat([length, query]))
    return promise.finally(() => socket.destroy())
  }
}

function withId(message: Buffer, id: number): Buffer {
  const copy = Buffer.from(message)
  copy.writeUInt16BE(id, 0)
  return copy
}

/** The id is ours, it is an answer, and the question is the one that was asked, its letters' case included. */
function isAnswerTo(answer: Buffer, query: Buffer, id: number): boolean {
  const isAnswer = 0x80
  if (answer.length < 12 || answer.readUInt16BE(0) !== id || !(answer[2]! & isAnswer)) return false
  const end = questionEnd(query)
  return answer.readUInt16BE(4) === 0 || answer.subarray(12, end).equals(query.subarray(12, end))
}

/** Where the first question ends: labels, a zero, type and class (RFC 1035, 4.1.2). */
function questionEnd(message: Buffer): number {
  let at = 12
  while (at < message.length && message[at] !== 0) at += 1 + message[at]!
  return at + 5
}
