/**
 * A service's `ports`, short ("8080:80/udp", ranges) and long, -> the endpoint's ports.
 */
import type { PortConfig } from '../store/objects/service.ts'
import { checkHost, PortTextError, parsePort, parsePortRange, protocols } from './port-text.ts'
import type { Reader } from './reader.ts'

/** Where the file's services publish what, so that nothing is published twice. */
export class PublishedPorts {
  readonly #places = new Map<string, Reader>()

  /**
   * A number of the swarm belongs to one service; one of the hosts to as many as there are hosts.
   * @throws E_COMPOSE_INVALID at the second place
   */
  add(service: string, place: Reader, port: PortConfig): void {
    const { PublishedPort, TargetPort, Protocol, PublishMode } = port
    const owner = PublishedPort && PublishMode === 'ingress' ? '' : service
    const what = PublishedPort ? `port ${PublishedPort}` : `a port of its own for ${TargetPort}`
    const key = [owner, what, Protocol, PublishMode].join('/')
    const before = this.#places.get(key)
    if (before) throw place.invalid(`${what}/${Protocol} is published already, at ${before.where}`)
    this.#places.set(key, place)
  }
}

/** @throws E_COMPOSE_INVALID, also for what another service of the file has published */
export function readPorts(
  service: string,
  ports: Reader,
  mode: 'vip' | 'dnsrr',
  published: PublishedPorts,
): PortConfig[] {
  return ports.items().flatMap((place) => {
    const read = place.isMap ? readLong(place) : readShort(place)
    for (const port of read) {
      if (mode === 'dnsrr' && port.PublishMode === 'ingress')
        throw place.invalid('with endpoint_mode dnsrr a port can only be published with mode: host')
      published.add(service, place, port)
    }
    return read
  })
}

function readLong(port: Reader): PortConfig[] {
  refuseHost(port.at('host_ip'), port.at('host_ip').text())
  const target = port.at('target').count()
  if (target === undefined) throw port.invalid('target is missing')
  const Protocol = port.at('protocol').oneOf(protocols) ?? 'tcp'
  const PublishMode = port.at('mode').oneOf(['ingress', 'host'] as const) ?? 'ingress'
  const name = port.at('name').text()
  const published = port.at('published').text()
  const base = { Protocol, TargetPort: target, PublishMode, ...(name && { Name: name }) }
  if (!published) return [base]
  return readRange(port.at('published'), published).map((PublishedPort) => ({ ...base, PublishedPort }))
}

/** [HOST:][PUBLISHED:]TARGET[/PROTOCOL], each of the ports a range perhaps. */
function readShort(port: Reader): PortConfig[] {
  return at(port, () => parsePort(port.text() ?? ''))
}

function refuseHost(place: Reader, host: string | undefined): void {
  at(place, () => checkHost(host))
}

function readRange(place: Reader, text: string): number[] {
  return at(place, () => parsePortRange(text))
}

function at<T>(place: Reader, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof PortTextError ? place.invalid(error.message) : error
  }
}
