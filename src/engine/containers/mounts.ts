/** -v, --mount and --tmpfs, and an image's VOLUMEs -> mount points as `inspect` shows and as OCI mounts. */
import { mkdirSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { errnoOf } from '../../shared/errors.ts'
import { parseMountOptions } from '../runtime/plan/mount-options.ts'
import type { Mount } from '../runtime/spec.ts'
import type { VolumeRequest } from './context.ts'
import { fail } from './errors.ts'
import type { HostConfig, MountPoint, MountSpec } from './types.ts'

/** What a user asked for at one place of the container. */
export interface MountRequest {
  point: MountPoint
  /** For a volume: how to make it. */
  volume?: VolumeRequest & { noCopy: boolean }
  /** For a bind: make the folder on the host where it is missing, as -v does and --mount does not. */
  createSource?: boolean
  recursive: boolean
  tmpfsOptions?: string[]
}

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave']
/** Accepted and without effect here: labels of SELinux, and caching hints of Docker Desktop. */
const ignoredModes = ['z', 'Z', 'cached', 'delegated', 'consistent']

/** All requests of a container, one a destination. @throws E_PARAMETER */
export function mountRequests(host: HostConfig, imageVolumes: string[]): MountRequest[] {
  const requests = new Map<string, MountRequest>()
  const add = (request: MountRequest) => {
    const { Destination } = request.point
    if (requests.has(Destination))
      throw fail('E_PARAMETER', { name: 'mount', problem: `Duplicate mount point: ${Destination}` })
    requests.set(Destination, request)
  }
  for (const bind of host.Binds ?? []) add(fromBind(bind))
  for (const mount of host.Mounts ?? []) add(fromMount(mount))
  for (const [target, options] of Object.entries(host.Tmpfs ?? {})) add(fromTmpfs(target, options))
  for (const target of imageVolumes) {
    const destination = cleanTarget(target)
    if (!requests.has(destination)) add(volumeRequest({}, destination, true, false))
  }
  return [...requests.values()]
}

/** SOURCE:TARGET[:MODE] or TARGET alone. */
function fromBind(text: string): MountRequest {
  const parts = text.split(':')
  if (parts.length > 3 || parts.some((p) => p === '')) {
    throw fail('E_PARAMETER', { name: 'volume specification', problem: text })
  }
  if (parts.length === 1) return volumeRequest({}, cleanTarget(parts[0]!), true, false)
  const [source, target, mode = ''] = parts as [string, string, string?]
  const options = mode.split(',').filter(Boolean)
  const unknown = options.find((o) => !['ro', 'rw', 'nocopy', ...propagations, ...ignoredModes].includes(o))
  if (unknown) throw fail('E_PARAMETER', { name: 'mode', problem: unknown })
  const writable = !options.includes('ro')
  const destination = cleanTarget(target)
  if (!source.startsWith('/'))
    return volumeRequest({ name: source }, destination, writable, options.includes('nocopy'), mode)
  return {
    point: {
      Type: 'bind',
      Source: posix.normalize(source),
      Destination: destination,
      Mode: mode,
      RW: writable,
      Propagation: options.find((o) => propagations.includes(o)) ?? 'rprivate',
    },
    createSource: true,
    recursive: true,
  }
}

function fromMount(mount: MountSpec): MountRequest {
  const refuse = (problem: string) => fail('E_PARAMETER', { name: 'mount', problem })
  const destination = cleanTarget(mount.Target ?? '')
  const writable = !mount.ReadOnly
  if (mount.Type === 'volume') {
    const { Labels, DriverConfig, NoCopy, Subpath } = mount.VolumeOptions ?? {}
    // Without it, the container would see the whole volume.
    if (Subpath) throw refuse(`the subpath ${Subpath} of a volume is not supported yet`)
    const request = {
      name: mount.Source || undefined,
      driver: DriverConfig?.Name,
      options: DriverConfig?.Options,
      labels: Labels,
    }
    return volumeRequest(request, destination, writable, NoCopy ?? false)
  }
  if (mount.Type === 'tmpfs') {
    const { SizeBytes, Mode } = mount.TmpfsOptions ?? {}
    const options = [
      ...(SizeBytes ? [`size=${SizeBytes}`] : []),
      ...(Mode !== undefined ? [`mode=${Mode.toString(8)}`] : []),
      ...(writable ? [] : ['ro']),
    ]
    return fromTmpfs(destination, options.join(','))
  }
  if (mount.Type !== 'bind') throw refuse(`type ${mount.Type} is none of bind, volume, tmpfs`)
  if (!mount.Source?.startsWith('/')) throw refuse(`bind source ${mount.Source ?? ''} is no absolute path`)
  const propagation = mount.BindOptions?.Propagation
  if (propagation && !propagations.includes(propagation)) throw refuse(`unknown propagation ${propagation}`)
  return {
    point: {
      Type: 'bind',
      Source: posix.normalize(mount.Source),
      Destination: destination,
      Mode: '',
      RW: writable,
      Propagation: propagation || 'rprivate',
    },
    createSource: mount.BindOptions?.CreateMountpoint ?? false,
    recursive: !mount.BindOptions?.NonRecursive,
  }
}

function fromTmpfs(target: string, options: string): MountRequest {
  const list = options.split(',').filter(Boolean)
  for (const option of parseMountOptions(list).data.split(',').filter(Boolean)) {
    if (!/^(size|mode|uid|gid|nr_inodes|nr_blocks|mpol|huge)=/.test(option)) {
      throw fail('E_PARAMETER', { name: 'tmpfs option', problem: option })
    }
  }
  return {
    point: {
      Type: 'tmpfs',
      Source: '',
      Destination: cleanTarget(target),
      Mode: options,
      RW: !list.includes('ro'),
      Propagation: '',
    },
    recursive: false,
    tmpfsOptions: list,
  }
}

function volumeRequest(
  volume: VolumeRequest,
  destination: string,
  writable: boolean,
  noCopy: boolean,
  mode = 'z',
): MountRequest {
  return {
    point: {
      Type: 'volume',
      Name: volume.name,
      Source: '',
      Destination: destination,
      Driver: volume.driver ?? 'local',
      Mode: mode,
      RW: writable,
      Propagation: '',
    },
    volume: { ...volume, noCopy },
    recursive: true,
  }
}

function cleanTarget(target: string): string {
  const clean = posix.normalize(target).replace(/(.)\/$/, '$1')
  if (!clean.startsWith('/')) {
    throw fail('E_PARAMETER', { name: 'mount path', problem: `${target}: mount path must be absolute` })
  }
  if (clean === '/') throw fail('E_PARAMETER', { name: 'mount path', problem: "destination can't be '/'" })
  return clean
}

/** Checks a bind's source, or makes it. @throws E_BIND_SOURCE */
export function prepareBindSource(request: MountRequest): void {
  const { Source } = request.point
  try {
    statSync(Source)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
    if (!request.createSource) throw fail('E_BIND_SOURCE', { path: Source })
    mkdirSync(Source, { recursive: true, mode: 0o755 })
  }
}

/**
 * The OCI mount of a request. A bind that is read-only is so in all that lies below it, as in Docker since 25,
 * where the kernel can do that.
 */
export function toOciMount(point: MountPoint, recursive: boolean, deepReadonly: boolean): Mount {
  if (point.Type === 'tmpfs') {
    return {
      destination: point.Destination,
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['noexec', 'nosuid', 'nodev', ...point.Mode.split(',').filter(Boolean)],
    }
  }
  const readonly = point.RW ? [] : deepReadonly && recursive ? ['rro'] : ['ro']
  return {
    destination: point.Destination,
    type: 'bind',
    source: point.Source,
    options: [recursive ? 'rbind' : 'bind', point.Propagation || 'rprivate', ...readonly],
  }
}
