/**
 * Values of flags of `service create` and `service update`, in Docker's forms.
 */
import { parseBytes, parseDuration } from '../../shared/units.ts'
import { fail } from '../errors.ts'
import { PortTextError, parsePort, protocols } from '../stack/port-text.ts'
import type { PortConfig, Protocol } from '../store/objects/service.ts'
import type { Mount, NetworkTarget } from '../store/objects/task-spec.ts'

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
  const parts = csv(flag, value, ['published', 'target', 'protocol', 'mode'])
  const number = (key: string) => {
    const text = parts.get(key)
    const port = Number(text)
    if (text === undefined) return undefined
    if (Number.isSafeInteger(port) && port > 0 && port < 65536) return port
    throw fail('E_FLAG_INVALID', { flag, value, why: `${key} is no port from 1 to 65535` })
  }
  const TargetPort = number('target')
  if (TargetPort === undefined) throw fail('E_FLAG_INVALID', { flag, value, why: 'target is missing' })
  const Protocol = (parts.get('protocol') ?? 'tcp') as Protocol
  if (!protocols.includes(Protocol))
    throw fail('E_FLAG_INVALID', { flag, value, why: `protocol is none of ${protocols.join(', ')}` })
  const mode = parts.get('mode') ?? 'ingress'
  if (mode !== 'ingress' && mode !== 'host')
    throw fail('E_FLAG_INVALID', { flag, value, why: 'mode is ingress or host' })
  const PublishedPort = number('published')
  return [{ Protocol, TargetPort, PublishMode: mode, ...(PublishedPort !== undefined && { PublishedPort }) }]
}

/** "type=bind,source=/a,target=/b,readonly" */
export function mountFlag(flag: string, value: string): Mount {
  const parts = csv(flag, value, [
    'type',
    'source',
    'src',
    'target',
    'destination',
    'dst',
    'readonly',
    'ro',
    'consistency',
    'bind-propagation',
    'volume-driver',
    'volume-label',
    'volume-nocopy',
    'volume-opt',
    'volume-subpath',
    'tmpfs-size',
    'tmpfs-mode',
  ])
  const Target = parts.get('target') ?? parts.get('destination') ?? parts.get('dst')
  if (!Target) throw fail('E_FLAG_INVALID', { flag, value, why: 'target is missing' })
  const Type = parts.get('type') ?? 'volume'
  if (!['bind', 'volume', 'tmpfs', 'image'].includes(Type))
    throw fail('E_FLAG_INVALID', { flag, value, why: `there is no mount of type ${Type}` })
  const mount: Mount = { Type, Target }
  const Source = parts.get('source') ?? parts.get('src')
  if (Source !== undefined) mount.Source = Source
  if (isOn(parts.get('readonly') ?? parts.get('ro'))) mount.ReadOnly = true
  const propagation = parts.get('bind-propagation')
  if (propagation) mount.BindOptions = { Propagation: propagation }
  const subpath = parts.get('volume-subpath')
  if (isOn(parts.get('volume-nocopy'))) mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: true }
  if (subpath) mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: subpath }
  const driver = parts.get('volume-driver')
  if (driver) mount.VolumeOptions = { ...mount.VolumeOptions, DriverConfig: { Name: driver } }
  const size = parts.get('tmpfs-size')
  const mode = parts.get('tmpfs-mode')
  if (size !== undefined) mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes: bytesFlag(flag, size) }
  if (mode !== undefined) mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(mode, 8) }
  return mount
}

/** "front" or "name=front,alias=www" */
export function networkFlag(flag: string, value: string): NetworkTarget {
  if (!value.includes('=')) return { Target: value }
  const parts = csv(flag, value, ['name', 'alias', 'driver-opt'])
  const Target = parts.get('name')
  if (!Target) throw fail('E_FLAG_INVALID', { flag, value, why: 'name is missing' })
  const alias = parts.get('alias')
  return { Target, ...(alias && { Aliases: alias.split('\n') }) }
}

/** Comma-separated KEY=VALUE; a key that occurs twice has its values in lines, one without value is on. */
function csv(flag: string, value: string, known: string[]): Map<string, string> {
  const parts = new Map<string, string>()
  for (const [key, text = 'true'] of pairsFlag(value.split(','))) {
    if (!known.includes(key)) throw fail('E_FLAG_INVALID', { flag, value, why: `there is no '${key}' in it` })
    const before = parts.get(key)
    parts.set(key, before === undefined ? text : `${before}\n${text}`)
  }
  return parts
}

function isOn(text: string | undefined): boolean {
  return text !== undefined && ['true', '1'].includes(text)
}
