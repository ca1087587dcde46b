/**
 * Ports in the short form that Compose files and the command line share: "8080:80/udp", with ranges.
 */
import type { PortConfig, Protocol } from '../store/objects/service.ts'

export const protocols = ['tcp', 'udp', 'sctp'] as const

/** What is wrong with the text, in words that follow its place. */
export class PortTextError extends Error {
  override readonly name = 'PortTextError'
}

/** [HOST:][PUBLISHED:]TARGET[/PROTOCOL], each of the ports a range perhaps. @throws PortTextError */
export function parsePort(text: string): PortConfig[] {
  const match = /^(?:(?:(\[[^\]]+\]|[^:]+):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text)
  if (!match) throw new PortTextError(`'${text}' is no port: PUBLISHED:TARGET, such as 8080:80`)
  const [, host, published, target, protocol = 'tcp'] = match as unknown as (string | undefined)[]
  checkHost(host)
  if (!(protocols as readonly string[]).includes(protocol)) {
    throw new PortTextError(`'${protocol}' is none of ${protocols.join(', ')}`)
  }
  const targets = parsePortRange(target!)
  const numbers = published ? parsePortRange(published) : []
  if (numbers.length > 0 && numbers.length !== targets.length) {
    throw new PortTextError(`the ranges of '${text}' differ in length`)
  }
  return targets.map((TargetPort, i) => ({
    Protocol: protocol as Protocol,
    TargetPort,
    PublishMode: 'ingress',
    ...(numbers.length > 0 && { PublishedPort: numbers[i]! }),
  }))
}

/**
 * Published on all hosts, a port can't keep to one address: to listen on all of them instead would widen it.
 * @throws PortTextError
 */
export function checkHost(host: string | undefined): void {
  if (!host || host === '0.0.0.0' || host === '[::]' || host === '::') return
  throw new PortTextError(
    `a swarm's port listens on every address of every node, not on ${host} alone; leave the address out`,
  )
}

/** "80" or "80-89" @throws PortTextError */
export function parsePortRange(text: string): number[] {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (!match || first < 1 || last > 65535 || last < first) {
    throw new PortTextError(`'${text}' is no port or range of ports from 1 to 65535`)
  }
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
