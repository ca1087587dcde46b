/**
 * A service's `volumes` and `tmpfs`, short and long, -> mounts. Named volumes are the stack's, unless they are
 * external or have a name of their own.
 */
import { homedir } from 'node:os'
import { isAbsolute, resolve } from 'node:path'
import type { Mount } from '../store/objects/task-spec.ts'
import type { Names } from './names.ts'
import type { Reader } from './reader.ts'

export function readMounts(service: Reader, names: Names): Mount[] {
  const volumes = service
    .at('volumes')
    .items()
    .map((volume) => (volume.isMap ? readLong(volume, names) : readShort(volume, names)))
  const tmpfs = service.at('tmpfs').items().map(readTmpfs)
  return [...volumes, ...tmpfs]
}

/** [SOURCE:]TARGET[:OPTIONS] */
function readShort(volume: Reader, names: Names): Mount {
  const text = volume.text() ?? ''
  const parts = text.split(':')
  if (parts.length > 3) throw volume.invalid(`'${text}' is no volume: SOURCE:TARGET[:ro]`)
  const [source, target, options = ''] =
    parts.length === 1 ? [undefined, parts[0]!] : (parts as [string, string, string?])
  if (!target?.startsWith('/')) throw volume.invalid(`the target '${target}' must be an absolute path`)
  const flags = options.split(',').filter(Boolean)
  const mount: Mount = { Type: 'volume', Target: target }
  if (source !== undefined && /^[./~]/.test(source)) {
    mount.Type = 'bind'
    mount.Source = hostPath(source, volume.folder)
  } else if (source !== undefined) Object.assign(mount, named(volume, source, names))
  for (const flag of flags) applyFlag(volume, mount, flag)
  return mount
}

const propagations = ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave']

function applyFlag(volume: Reader, mount: Mount, flag: string): void {
  if (flag === 'ro') mount.ReadOnly = true
  else if (flag === 'nocopy') mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: true }
  else if (propagations.includes(flag) && mount.Type === 'bind') mount.BindOptions = { Propagation: flag }
  else if (['rw', 'z', 'Z', 'cached', 'delegated', 'consistent'].includes(flag)) return
  else throw volume.invalid(`there is no volume option '${flag}'`)
}

function readLong(volume: Reader, names: Names): Mount {
  const type = volume.at('type').oneOf(['volume', 'bind', 'tmpfs', 'image'] as const) ?? 'volume'
  const target = volume.at('target').text()
  if (!target?.startsWith('/')) throw volume.at('target').invalid('the target must be an absolute path')
  const source = volume.at('source').text()
  const mount: Mount = { Type: type, Target: target }
  if (volume.at('read_only').flag()) mount.ReadOnly = true
  const consistency = volume.at('consistency').text()
  if (consistency) mount.Consistency = consistency
  if (type === 'bind') {
    if (!source) throw volume.invalid('a bind mount needs a source')
    mount.Source = hostPath(source, volume.folder)
    const propagation = volume.at('bind').at('propagation').oneOf(propagations)
    if (propagation) mount.BindOptions = { Propagation: propagation }
  } else if (type === 'tmpfs') {
    const size = volume.at('tmpfs').at('size').bytes()
    const mode = volume.at('tmpfs').at('mode').count()
    if (size !== undefined || mode !== undefined) {
      mount.TmpfsOptions = {
        ...(size !== undefined && { SizeBytes: size }),
        ...(mode !== undefined && { Mode: mode }),
      }
    }
  } else if (type === 'image') mount.Source = source ?? ''
  else {
    if (source) Object.assign(mount, named(volume, source, names))
    const options = volume.at('volume')
    if (options.at('nocopy').flag()) mount.VolumeOptions = { ...mount.VolumeOptions, NoCopy: true }
    const subpath = options.at('subpath').text()
    if (subpath) mount.VolumeOptions = { ...mount.VolumeOptions, Subpath: subpath }
  }
  return mount
}

function readTmpfs(tmpfs: Reader): Mount {
  const [target, options = ''] = (tmpfs.text() ?? '').split(':') as [string, string?]
  if (!target.startsWith('/')) throw tmpfs.invalid(`'${target}' must be an absolute path`)
  const size = /(?:^|,)size=([^,]+)/.exec(options)?.[1]
  const mount: Mount = { Type: 'tmpfs', Target: target }
  if (size === undefined) return mount
  const bytes = /^\d+$/.test(size) ? Number(size) : parseSize(size)
  if (bytes === undefined) throw tmpfs.invalid(`'${size}' is not a size such as 64m`)
  return { ...mount, TmpfsOptions: { SizeBytes: bytes } }
}

function parseSize(text: string): number | undefined {
  const match = /^(\d+)([kmg])$/i.exec(text)
  return match ? Number(match[1]) * 1024 ** ('kmg'.indexOf(match[2]!.toLowerCase()) + 1) : undefined
}

function hostPath(source: string, folder: string): string {
  if (source === '~' || source.startsWith('~/')) return resolve(homedir(), source.slice(2))
  return isAbsolute(source) ? source : resolve(folder, source)
}

function named(place: Reader, source: string, names: Names): Partial<Mount> {
  const volume = names.volume(source)
  if (!volume) throw place.invalid(`volume '${source}' is not among the file's volumes`)
  return { Source: volume.name, ...(volume.options && { VolumeOptions: volume.options }) }
}
