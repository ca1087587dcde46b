/**
 * --mount: "type=bind,source=/a,target=/b,readonly", with Docker's keys.
 */
import { fail } from '../errors.ts'
import type { Mount } from '../store/objects/task-spec.ts'
import { type CsvFlag, csvFlag } from './csv-flag.ts'
import { bytesFlag } from './flag-values.ts'

const keys = [
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
]
const types = ['bind', 'volume', 'tmpfs', 'image']
const consistencies = ['default', 'consistent', 'cached', 'delegated']

/** @throws E_FLAG_INVALID */
export function mountFlag(flag: string, value: string): Mount {
  const refuse = (why: string) => fail('E_FLAG_INVALID', { flag, value, why })
  const parts = csvFlag(flag, value, keys)
  const Target = parts.last('target') ?? parts.last('destination') ?? parts.last('dst')
  if (!Target) throw refuse('target is missing')
  const Type = parts.last('type') ?? 'volume'
  if (!types.includes(Type)) throw refuse(`there is no mount of type ${Type}`)
  const stranger = parts.keys().find((key) => isOfAnotherType(key, Type))
  if (stranger) throw refuse(`a mount of type ${Type} has no ${stranger}`)
  const Source = parts.last('source') ?? parts.last('src')
  const Consistency = parts.last('consistency')?.toLowerCase()
  if (Consistency !== undefined && !consistencies.includes(Consistency))
    throw refuse(`consistency is one of ${consistencies.join(', ')}`)
  const isReadOnly = parts.isOn('readonly') ?? parts.isOn('ro')
  const Propagation = parts.last('bind-propagation')
  const [volume, tmpfs] = [volumeOptions(parts), tmpfsOptions(flag, value, parts)]
  return {
    Type,
    Target,
    ...(Source !== undefined && { Source }),
    ...(isReadOnly && { ReadOnly: true }),
    ...(Consistency !== undefined && { Consistency }),
    ...(Propagation && { BindOptions: { Propagation } }),
    ...(volume && { VolumeOptions: volume }),
    ...(tmpfs && { TmpfsOptions: tmpfs }),
  }
}

/** volume-nocopy belongs to volumes, tmpfs-size to tmpfs. */
function isOfAnotherType(key: string, type: string): boolean {
  const owner = /^(bind|volume|tmpfs)-/.exec(key)?.[1]
  return owner !== undefined && owner !== type
}

function volumeOptions(parts: CsvFlag): Mount['VolumeOptions'] | undefined {
  const [Name, Options] = [parts.last('volume-driver'), parts.pairs('volume-opt')]
  const [Labels, Subpath] = [parts.labels('volume-label'), parts.last('volume-subpath')]
  const options = {
    ...(parts.isOn('volume-nocopy') && { NoCopy: true }),
    ...(Labels && { Labels }),
    ...(Subpath && { Subpath }),
    ...((Name || Options) && { DriverConfig: { Name: Name || 'local', ...(Options && { Options }) } }),
  }
  return Object.keys(options).length > 0 ? options : undefined
}

function tmpfsOptions(flag: string, value: string, parts: CsvFlag): Mount['TmpfsOptions'] | undefined {
  const [size, mode] = [parts.last('tmpfs-size'), parts.last('tmpfs-mode')]
  if (mode !== undefined && !/^[0-7]{1,4}$/.test(mode))
    throw fail('E_FLAG_INVALID', { flag, value, why: 'tmpfs-mode is an octal number such as 1777' })
  if (size === undefined && mode === undefined) return undefined
  return {
    ...(size !== undefined && { SizeBytes: bytesFlag(flag, size) }),
    ...(mode !== undefined && { Mode: Number.parseInt(mode, 8) }),
  }
}
