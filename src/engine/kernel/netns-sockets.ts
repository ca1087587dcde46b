/**
 * Sockets that live in another network namespace: opened and bound there, used from here. A socket belongs to
 * the namespace of the thread that made it (network_namespaces(7)); Node takes it over by its descriptor.
 */
import { errnoOf } from '../../shared/errors.ts'
import { hostArch } from './arch.ts'
import { O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { addressOf, closeFd, openSocket, rawCall } from './libc.ts'
import { inNamespace } from './netns.ts'

const AF_INET = 2
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_SEQPACKET = 5
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const IPPROTO_SCTP = 132
const addressSize = 16 // struct sockaddr_in

/** @throws SystemCallError */
export function bindSocket(fd: number, address: Uint8Array): void {
  rawCall('bind', hostArch().numbers.bind!, fd, addressOf(address), address.length)
}

/** @throws SystemCallError */
export function setSocketOption(fd: number, level: number, option: number, value: Uint8Array): void {
  rawCall('setsockopt', hostArch().numbers.setsockopt!, fd, level, option, addressOf(value), value.length)
}

/** Sends one datagram to the socket's default address. @throws SystemCallError */
export function sendDatagram(fd: number, datagram: Uint8Array): void {
  rawCall('sendto', hostArch().numbers.sendto!, fd, addressOf(datagram), datagram.length, 0, 0, 0)
}

/** Receives one datagram. @returns its size. @throws SystemCallError (EAGAIN at the socket's time limit) */
export function receiveDatagram(fd: number, into: Uint8Array): number {
  return rawCall('recvfrom', hostArch().numbers.recvfrom!, fd, addressOf(into), into.length, 0, 0, 0)
}

function ipv4Address(address: string, port: number): Buffer {
  const bytes = Buffer.alloc(addressSize)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  for (const [i, part] of address.split('.').entries()) bytes[4 + i] = Number(part)
  return bytes
}

/** The port that a bound IPv4 socket has. */
export function portOf(fd: number): number {
  const address = Buffer.alloc(addressSize)
  const size = Buffer.alloc(4)
  size.writeUInt32LE(addressSize)
  rawCall('getsockname', hostArch().numbers.getsockname!, fd, addressOf(address), addressOf(size))
  return address.readUInt16BE(2)
}

export type SocketProtocol = 'tcp' | 'udp' | 'sctp'

const types: Record<SocketProtocol, [type: number, protocol: number]> = {
  tcp: [SOCK_STREAM, 0],
  udp: [SOCK_DGRAM, 0],
  sctp: [SOCK_SEQPACKET, IPPROTO_SCTP],
}

export interface BoundSocketOptions {
  protocol: SocketProtocol
  address: string
  /** 0: the kernel chooses; see `portOf`. */
  port: number
  /** Where it lives; this thread's namespace when left out. */
  namespace?: number
}

/**
 * An IPv4 socket bound inside a namespace; not blocking, close-on-exec. For `dgram.bind({fd})` and, with TCP,
 * `net.Server.listen({fd})`, which own the descriptor from then on.
 * @throws SystemCallError (EADDRINUSE, EADDRNOTAVAIL)
 */
export function openBoundSocket({ protocol, address, port, namespace }: BoundSocketOptions): number {
  const [type, number] = types[protocol]
  return withSocket(namespace, type, number, (fd) => {
    const on = Buffer.from([1, 0, 0, 0])
    if (protocol === 'tcp') setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, on)
    bindSocket(fd, ipv4Address(address, port))
  })
}

/**
 * Holds a port so that no other program can take it, without ever listening there: what arrives for it is
 * translated before it could reach a socket. A port whose old connections linger (TIME_WAIT) can be held.
 * @returns a descriptor; closing it frees the port
 * @throws SystemCallError EADDRINUSE where somebody listens on it or holds it; EADDRNOTAVAIL where the host
 * has no such address
 */
export function reservePort({ protocol, address, port, namespace }: BoundSocketOptions): number {
  const [type, number] = types[protocol]
  return withSocket(namespace, type, number, (fd) => {
    // Bound with SO_REUSEADDR to pass over TIME_WAIT, and held without: bind(2) of others then fails, and
    // where their own SO_REUSEADDR let them bind, listen(2) does (inet_csk_bind_conflict in the kernel).
    const [on, off] = [Buffer.from([1, 0, 0, 0]), Buffer.alloc(4)]
    if (protocol === 'tcp') setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, on)
    bindSocket(fd, ipv4Address(address, port))
    if (protocol === 'tcp') setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, off)
  })
}

/**
 * An IPv4 TCP socket inside a namespace that is on its way to a server; not blocking, close-on-exec. For
 * `new net.Socket({fd})`: whether the server takes it shows at the first read or write.
 * @throws SystemCallError (ENETUNREACH)
 */
export function openConnectingSocket(address: string, port: number, namespace?: number): number {
  return withSocket(namespace, SOCK_STREAM, 0, (fd) => {
    const target = ipv4Address(address, port)
    try {
      rawCall('connect', hostArch().numbers.connect!, fd, addressOf(target), target.length)
    } catch (error) {
      if (errnoOf(error) !== 'EINPROGRESS') throw error
    }
  })
}

/** Makes a socket and prepares it; closes it where that fails. */
function withSocket(
  namespace: number | undefined,
  type: number,
  protocol: number,
  prepare: (fd: number) => void,
): number {
  const fd = inNamespace(namespace, () => openSocket(AF_INET, type | O_CLOEXEC | O_NONBLOCK, protocol))
  try {
    prepare(fd)
    return fd
  } catch (error) {
    closeFd(fd)
    throw error
  }
}
