/**
 * A netlink socket: requests go out, acknowledgments and answers come back, all on the calling thread. The
 * kernel does a request's work before sendto(2) returns, so there is nothing to wait for but a limit guards it.
 * A socket belongs to the namespace in which it was opened, for ever (network_namespaces(7)).
 */
import { errnoOf } from '../../shared/errors.ts'
import { O_CLOEXEC } from './constants.ts'
import { SystemCallError } from './errno.ts'
import { closeFd, openSocket } from './libc.ts'
import {
  decodeError,
  decodeMessages,
  encodeMessage,
  type NetlinkMessage,
  type NetlinkRequest,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink-wire.ts'
import { inNamespace } from './netns.ts'
import { bindSocket, receiveDatagram, sendDatagram, setSocketOption } from './netns-sockets.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const addressSize = 12

export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12

/** Far more than any answer takes: the kernel is done when sendto(2) returns. */
const answerLimitS = 5
/** So many requests a datagram that the acknowledgments of all of them, failed, fit the receive buffer. */
const batchSize = 100
const receiveBufferBytes = 1 << 20
/** A dump's datagrams have at most 32 KiB (NLMSG_GOODSIZE and the kernel's dump allocation). */
const datagramBytes = 64 << 10

export interface NetlinkOptions {
  protocol?: typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER
  /** A descriptor of the namespace that it shall serve; this thread's when left out. */
  namespace?: number
}

export class NetlinkSocket {
  readonly #fd: number
  /** Shared by all: a call reads its answers to the end before anything else can run. */
  static readonly #buffer = Buffer.alloc(datagramBytes)
  #sequence = 1

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** @throws SystemCallError */
  static open({ protocol = NETLINK_ROUTE, namespace }: NetlinkOptions = {}): NetlinkSocket {
    const fd = inNamespace(namespace, () => openSocket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, protocol))
    try {
      const limit = Buffer.alloc(16) // struct timeval
      limit.writeBigInt64LE(BigInt(answerLimitS), 0)
      setSocketOption(fd, SOL_SOCKET, SO_RCVTIMEO, limit)
      const on = Buffer.from([1, 0, 0, 0])
      for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
        setSocketOption(fd, SOL_NETLINK, option, on)
      }
      const size = Buffer.alloc(4)
      size.writeUInt32LE(receiveBufferBytes)
      setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, size)
      const address = Buffer.alloc(addressSize)
      address.writeUInt16LE(AF_NETLINK)
      bindSocket(fd, address)
      return new NetlinkSocket(fd)
    } catch (error) {
      closeFd(fd)
      throw error
    }
  }

  /**
   * Does the requests in their order. The kernel does not stop at one that fails: the others are done too, and
   * the first failure is thrown, named by its request and with the kernel's words.
   * @throws SystemCallError
   */
  execute(requests: readonly NetlinkRequest[]): void {
    let failure: SystemCallError | undefined
    for (let at = 0; at < requests.length; at += batchSize) {
      failure ??= this.#executeBatch(requests.slice(at, at + batchSize))
    }
    if (failure) throw failure
  }

  /** Asks for one object. @returns its message, or undefined where the kernel says that there is none */
  get(request: NetlinkRequest): NetlinkMessage | undefined {
    const sequence = this.#send([request])
    let found: NetlinkMessage | undefined
    for (;;) {
      for (const message of this.#receive(sequence, sequence)) {
        if (message.type !== NLMSG_ERROR) {
          found ??= { ...message, body: Buffer.from(message.body) }
          continue
        }
        const failure = failureOf(request, message)
        if (failure && failure.code !== 'ENODEV' && failure.code !== 'ENOENT') throw failure
        return failure ? undefined : found
      }
    }
  }

  /** Asks for all objects of a kind. @throws SystemCallError */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    const sequence = this.#send([{ ...request, flags: request.flags | NLM_F_DUMP }], 0)
    const found: NetlinkMessage[] = []
    for (;;) {
      for (const message of this.#receive(sequence, sequence)) {
        if (message.type === NLMSG_DONE) return found
        if (message.type === NLMSG_ERROR) {
          const failure = failureOf(request, message)
          if (failure) throw failure
          return found
        }
        found.push({ ...message, body: Buffer.from(message.body) })
        if (!(message.flags & NLM_F_MULTI)) return found
      }
    }
  }

  close(): void {
    closeFd(this.#fd)
  }

  /** Only the last request asks for an acknowledgment; failures come without being asked for. */
  #executeBatch(requests: readonly NetlinkRequest[]): SystemCallError | undefined {
    const first = this.#sequence
    const last = this.#send(requests)
    let failure: SystemCallError | undefined
    for (;;) {
      for (const message of this.#receive(first, last)) {
        if (message.type !== NLMSG_ERROR) continue
        failure ??= failureOf(requests[message.sequence - first]!, message)
        if (message.sequence === last) return failure
      }
    }
  }

  /** @returns the last one's sequence number */
  #send(requests: readonly NetlinkRequest[], lastFlags = NLM_F_ACK): number {
    const last = requests.length - 1
    const datagram = Buffer.concat(
      requests.map((request, i) => encodeMessage(request, this.#sequence++, i === last ? lastFlags : 0)),
    )
    sendDatagram(this.#fd, datagram)
    return this.#sequence - 1
  }

  /** The next datagram's messages, without those that belong to a request that was given up. */
  #receive(first: number, last: number): NetlinkMessage[] {
    for (;;) {
      try {
        const size = receiveDatagram(this.#fd, NetlinkSocket.#buffer)
        return decodeMessages(NetlinkSocket.#buffer.subarray(0, size)).filter(
          ({ sequence }) => sequence >= first && sequence <= last,
        )
      } catch (error) {
        if (errnoOf(error) !== 'EINTR') throw error
      }
    }
  }
}

function failureOf(request: NetlinkRequest, message: NetlinkMessage): SystemCallError | undefined {
  const { errno, words } = decodeError(message)
  if (errno === 0) return undefined
  const failure = new SystemCallError(request.what, errno, words)
  return request.tolerate?.includes(failure.code) ? undefined : failure
}
