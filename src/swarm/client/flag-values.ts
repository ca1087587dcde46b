/**
 * Values of flags of `service create` and `service update`, in Docker's forms.
 */
import { parseBytes, parseDuration } from '../../shared/units.ts'
import { fail } from '../errors.ts'
import { PortTextError, parsePort, protocols } from '../stack/port-text.ts'
import type { PortConfig, Protocol } from '../store/objects/service.ts'
import type { NetworkTarget } from '../store/objects/task-spec.ts'
import { csvFlag } from './csv-flag.ts'

/** "10s" -> nanoseconds. */
export function durationFlag(flag: string, value: string): number {
  const ns = parseDuration(value)
  if (ns === undefined)
    throw fail('E_FLAG_INVALID', { flag, value, why: 'not a duration such as 10s or 1m30s' })
  return ns
}

export function bytesFlag(flag: string, value: string): number {
  const bytes = parseBytes(value)
  if (bytes === undefined) throw fail('E_FLAG_INVALID', { flag, value, why: 'not a size such as 512m or 1g' })
  return bytes
}

/** "0.5" -> billionths of a CPU. */
export function cpusFlag(flag: string, value: string): number {
  const cpus = Number(value)
  if (!Number.isFinite(cpus) || cpus < 0)
    throw fail('E_FLAG_INVALID', { flag, value, why: 'not a number of CPUs' })
  return Math.round(cpus * 1e9)
}

/** ["A=1", "B"] -> pairs; what has no "=" has no value. */
export function pairsFlag(values: string[]): [string, string | undefined][] {
  return values.map((value) => {
    const at = value.indexOf('=')
    return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)]
  })
}

/** "8080:80/tcp" or "published=8080,target=80,protocol=tcp,mode=host" */
export function publishFlag(flag: string, value: string): PortConfig[] {
  if (!value.includes('=')) {
    try {
      return parsePort(value)
    } catch (error) {
      if (!(error instanceof PortTextError)) throw error
      throw fail('E_FLAG_INVALID', { flag, value, why: error.message })
    }
  }
  const parts = csvFlag(flag, value, ['published', 'target', 'protocol', 'mode'])
  const number = (key: string) => {
    const text = parts.last(key)
    const port = Number(text)
    if (text === undefined) return undefined
    if (Number.isSafeInteger(port) && port > 0 && port < 65536) return port
    throw fail('E_FLAG_INVALID', { flag, value, why: `${key} is no port from 1 to 65535` })
  }
  const TargetPort = number('target')
  if (TargetPort === undefined) throw fail('E_FLAG_INVALID', { flag, value, why: 'target is missing' })
  const Protocol = (parts.last('protocol') ?? 'tcp') as Protocol
  if (!protocols.includes(Protocol))
    throw fail('E_FLAG_INVALID', { flag, value, why: `protocol is none of ${protocols.join(', ')}` })
  const mode = parts.last('mode') ?? 'ingress'
  if (mode !== 'ingress' && mode !== 'host')
    throw fail('E_FLAG_INVALID', { flag, value, why: 'mode is ingress or host' })
  const PublishedPort = number('published')
  return [{ Protocol, TargetPort, PublishMode: mode, ...(PublishedPort !== undefined && { PublishedPort }) }]
}

/**
 * A port to take away, by what it leads to: "80", "53/udp", "8080:80" or "target=80,mode=host". What mode it has
 * counts only where it is said.
 */
export function unpublishFlag(flag: string, value: string): (port: PortConfig) => boolean {
  const ports = publishFlag(flag, value)
  const saysMode = /(^|,)mode=/.test(value)
  return (port) =>
    ports.some(
      (one) =>
        one.TargetPort === port.TargetPort &&
        one.Protocol === port.Protocol &&
        (!saysMode || one.PublishMode === port.PublishMode),
    )
}

/** "0.25" @throws E_FLAG_INVALID for what is no part of 1 */
export function ratioFlag(flag: string, value: string): number {
  const ratio = Number(value)
  if (value.trim() !== '' && ratio >= 0 && ratio <= 1) return ratio
  throw fail('E_FLAG_INVALID', { flag, value, why: 'not a number from 0 to 1' })
}

/** "front" or "name=front,alias=www,driver-opt=NAME=VALUE" */
export function networkFlag(flag: string, value: string): NetworkTarget {
  if (!value.includes('=')) return { Target: value }
  const parts = csvFlag(flag, value, ['name', 'alias', 'driver-opt'])
  const Target = parts.last('name')
  if (!Target) throw fail('E_FLAG_INVALID', { flag, value, why: 'name is missing' })
  const [Aliases, DriverOpts] = [parts.all('alias'), parts.pairs('driver-opt')]
  return { Target, ...(Aliases.length > 0 && { Aliases }), ...(DriverOpts && { DriverOpts }) }
}
