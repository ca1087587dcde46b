/** Published ports: what a container asks for, and which ports of the host it gets. */
import { closeSync } from 'node:fs'
import { errnoOf } from '../../shared/errors.ts'
import { portOf, reservePort, type SocketProtocol } from '../kernel/netns-sockets.ts'
import { fail } from './errors.ts'
import type { PublishedPort } from './host-rules.ts'
import { parseIpv4 } from './ipv4.ts'
import type { PortRequest } from './records.ts'
import type { PortMap } from './shapes.ts'

const protocols: readonly string[] = ['tcp', 'udp', 'sctp'] satisfies SocketProtocol[]

export interface PortWishes {
  /** HostConfig.PortBindings. */
  bindings?: PortMap | null
  /** The image's and the container's ExposedPorts: published too, anywhere, with HostConfig.PublishAllPorts. */
  exposed?: Record<string, object> | null
  publishAll?: boolean
}

/**
 * What the wishes come to, in order.
 * @param hostBinding where a port is published that names no host address
 * @throws E_PORT_INVALID
 */
export function readPortWishes(
  { bindings, exposed, publishAll }: PortWishes,
  hostBinding = '0.0.0.0',
): PortRequest[] {
  const requests: PortRequest[] = []
  for (const [key, wanted] of Object.entries(bindings ?? {})) {
    const target = parseTarget(key)
    const ends = wanted === null || wanted.length === 0 ? [{ HostIp: '', HostPort: '' }] : wanted
    for (const { HostIp, HostPort } of ends) {
      const hostAddress = HostIp || hostBinding
      if (parseIpv4(hostAddress) === undefined) {
        throw fail('E_PORT_INVALID', {
          port: `${HostIp}:${HostPort}:${key}`,
          problem: 'no IPv4 address of the host',
        })
      }
      requests.push({ ...target, hostAddress, ...parseHostPorts(HostPort ?? '', key) })
    }
  }
  if (!publishAll) return requests
  for (const key of Object.keys(exposed ?? {})) {
    const target = parseTarget(key)
    const known = requests.some((r) => r.port === target.port && r.protocol === target.protocol)
    if (!known) requests.push({ ...target, hostAddress: hostBinding, firstHostPort: 0, lastHostPort: 0 })
  }
  return requests
}

/** "80/tcp", "80" -> port and protocol. @throws E_PORT_INVALID */
export function parseTarget(text: string): { port: number; protocol: SocketProtocol } {
  const [, digits, protocol = 'tcp'] = /^(\d+)(?:\/(\w+))?$/.exec(text) ?? []
  const port = Number(digits)
  if (!(port >= 1 && port <= 65535))
    throw fail('E_PORT_INVALID', { port: text, problem: 'a port is 1 to 65535' })
  const name = protocol.toLowerCase()
  if (!protocols.includes(name))
    throw fail('E_PORT_INVALID', { port: text, problem: `no protocol ${protocol}` })
  return { port, protocol: name as SocketProtocol }
}

function parseHostPorts(text: string, key: string): Pick<PortRequest, 'firstHostPort' | 'lastHostPort'> {
  if (text === '') return { firstHostPort: 0, lastHostPort: 0 }
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  const range = { firstHostPort: Number(first), lastHostPort: Number(last) }
  if (!(range.firstHostPort <= range.lastHostPort && range.lastHostPort <= 65535)) {
    throw fail('E_PORT_INVALID', { port: `${text}:${key}`, problem: 'no port or range of ports of the host' })
  }
  return range
}

/** A host's port that is held for a container. */
export interface HeldPort {
  hostAddress: string
  hostPort: number
  /** Holds it until it is closed; undefined where another program has the port. */
  fd?: number
}

/**
 * Holds a port of the host for each request; none is held where one can't be.
 * @param namespace the host's
 * @throws E_PORT_TAKEN, E_HOST_ADDRESS
 */
export function holdPorts(
  requests: readonly PortRequest[],
  container: string,
  namespace: number | undefined,
): HeldPort[] {
  const held: HeldPort[] = []
  try {
    for (const request of requests) held.push(holdPort(request, container, namespace))
    return held
  } catch (error) {
    releasePorts(held)
    throw error
  }
}

export function releasePorts(held: readonly HeldPort[]): void {
  for (const { fd } of held) if (fd !== undefined) closeSync(fd)
}

function holdPort(request: PortRequest, container: string, namespace: number | undefined): HeldPort {
  const { protocol, hostAddress: address, firstHostPort, lastHostPort } = request
  for (let port = firstHostPort; port <= lastHostPort; port++) {
    try {
      const fd = reservePort({ protocol, address, port, namespace })
      return { hostAddress: address, hostPort: port === 0 ? portOf(fd) : port, fd }
    } catch (error) {
      if (errnoOf(error) === 'EADDRNOTAVAIL') throw fail('E_HOST_ADDRESS', { address, container }, error)
      if (errnoOf(error) !== 'EADDRINUSE') throw error
    }
  }
  const port = firstHostPort === lastHostPort ? firstHostPort : `${firstHostPort}-${lastHostPort}`
  throw fail('E_PORT_TAKEN', { address, port, container })
}

/** The rules' view: request and host's port, to an endpoint's address. */
export function publishedPorts(
  requests: readonly PortRequest[],
  held: readonly HeldPort[],
  address: string,
): PublishedPort[] {
  return requests.map(({ protocol, port }, i) => ({
    protocol,
    port,
    address,
    hostAddress: held[i]!.hostAddress,
    hostPort: held[i]!.hostPort,
  }))
}

/** NetworkSettings.Ports: exposed ports that are published nowhere are there with null. */
export function portMapOf(ports: readonly PublishedPort[], exposed: Record<string, object> = {}): PortMap {
  const map: PortMap = {}
  for (const key of Object.keys(exposed)) {
    const { port, protocol } = parseTarget(key)
    map[`${port}/${protocol}`] = null
  }
  for (const { protocol, port, hostAddress, hostPort } of ports) {
    const key = `${port}/${protocol}`
    map[key] = [...(map[key] ?? []), { HostIp: hostAddress, HostPort: `${hostPort}` }]
  }
  return map
}
