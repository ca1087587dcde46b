/**
 * A service's `ports`, short ("8080:80/udp", ranges) and long, -> the endpoint's ports.
 */
import type { PortConfig } from '../store/objects/service.ts'
import { checkHost, PortTextError, parsePort, parsePortRange, protocols } from './port-text.ts'
import type { Reader } from './reader.ts'

export function readPorts(ports: Reader): PortConfig[] {
  return ports.items().flatMap((port) => (port.isMap ? readLong(port) : readShort(port)))
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
