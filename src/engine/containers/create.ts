/** POST /containers/create: from a request and an image to a container that may be started. */
import { mkdirSync } from 'node:fs'
import { isFailure } from '../../shared/errors.ts'
import { newHexId } from '../../shared/ids.ts'
import { defaultMaskedPaths, defaultReadonlyPaths } from '../runtime/defaults.ts'
import { createSpool } from '../runtime/logs/spool.ts'
import type { Container } from './container.ts'
import type { ContainerContext, ImageConfig, NetworkRequest } from './context.ts'
import { fail } from './errors.ts'
import { hostCpus } from './host-cpus.ts'
import { type MountRequest, mountRequests, prepareBindSource } from './mounts.ts'
import { randomName } from './names.ts'
import { checkPlatform } from './platform.ts'
import type { ContainerRecord } from './record.ts'
import { toCapabilities, toRlimits, validateResources } from './resources.ts'
import { signalNumber } from './signals.ts'
import { commandOf, securityOptions } from './spec.ts'
import {
  type ContainerConfig,
  type EndpointRequest,
  type HostConfig,
  type MountPoint,
  zeroTime,
} from './types.ts'
import { refuseUnsupported } from './unsupported.ts'

export interface CreateRequest extends Partial<Omit<ContainerConfig, 'Image'>> {
  Image: string
  HostConfig?: Partial<HostConfig> & Record<string, unknown>
  NetworkingConfig?: { EndpointsConfig?: Record<string, EndpointRequest | null> | null } | null
}

/**
 * Makes the container. On failure nothing of it is left.
 * @param name made up when left out
 * @param platform "linux/arm64": what the image must be for; any when left out
 * @throws E_NO_SUCH_IMAGE, E_NAME_TAKEN, E_CONTAINER_NAME, E_NO_COMMAND, E_PARAMETER, E_UNSUPPORTED ...
 */
export async function createContainer(
  context: ContainerContext,
  name: string | undefined,
  request: CreateRequest,
  platform?: string,
): Promise<Container> {
  const { table, events } = context
  const image = context.images.resolve(request.Image)
  if (platform) checkPlatform(request.Image, image.platform, platform)
  const id = newHexId()
  checkRequest(request)
  const config = mergeConfig(request, image.config, id)
  const hostConfig = fillHostConfig(request.HostConfig ?? {})
  check(context, config, hostConfig)
  const chosen = name?.replace(/^\//, '') || unusedName(context)
  const claim = table.claim(chosen)
  try {
    const record: ContainerRecord = {
      version: 1,
      id,
      name: chosen,
      created: nowText(),
      imageId: image.id,
      layers: image.layers,
      config,
      hostConfig,
      endpoints: endpointsOf(request),
      mounts: [],
      state: {
        status: 'created',
        pid: 0,
        exitCode: 0,
        error: '',
        oomKilled: false,
        startedAt: zeroTime,
        finishedAt: zeroTime,
      },
      restartCount: 0,
      stoppedByUser: false,
    }
    checkNetworks(context, record)
    const folder = table.files.folderOf(id)
    try {
      for (const part of ['', 'upper', 'work']) mkdirSync(`${folder}/${part}`, { mode: part ? 0o755 : 0o710 })
      createSpool(folder)
      record.mounts = await makeMounts(
        context,
        mountRequests(hostConfig, Object.keys(config.Volumes ?? {})),
        image.layers,
      )
      table.files.save(record)
    } catch (error) {
      await removeAnonymousVolumes(context, record.mounts)
      table.files.remove(id)
      throw error
    }
    const container = table.add(record)
    events.container('create', id, {})
    return container
  } finally {
    claim.release()
  }
}

/**
 * A network, or a container to share one with, that is not there is told at the start, as Docker does: a 404 at
 * create means to its clients that the image is missing.
 */
function checkNetworks(context: ContainerContext, record: ContainerRecord): void {
  try {
    context.networks.validate(networkRequest(record))
  } catch (error) {
    if (!isFailure(error, 'E_NETWORK_UNKNOWN', 'E_NO_SUCH_CONTAINER')) throw error
  }
}

/** RFC 3339 with nanoseconds, as Docker writes its times. */
export function nowText(): string {
  return Temporal.Now.instant().toString({ smallestUnit: 'nanosecond' })
}

function unusedName(context: ContainerContext): string {
  for (;;) {
    const name = randomName()
    if (!context.table.find(name)) return name
  }
}

/** Longer is more than the kernel takes. */
const longestHostname = 64

/** @throws E_PARAMETER, E_NAME_FORMAT */
function checkRequest(request: CreateRequest): void {
  // An image's own may be anything, and is told when it is needed.
  if (request.StopSignal) signalNumber(request.StopSignal)
  for (const [what, text] of [
    ['hostname', request.Hostname],
    ['domainname', request.Domainname],
  ] as const) {
    // Wider than RFC 1123: names with underscores are in use, and Docker takes them.
    if (text && (text.length > longestHostname || !/^[a-zA-Z0-9_][a-zA-Z0-9_.-]*$/.test(text)))
      throw fail('E_NAME_FORMAT', { what, text })
  }
}

function check(context: ContainerContext, config: ContainerConfig, hostConfig: HostConfig): void {
  commandOf(config)
  validateResources(hostConfig, hostCpus(context))
  toCapabilities(hostConfig)
  toRlimits(hostConfig, context.openFiles)
  securityOptions(hostConfig)
  const { Name, MaximumRetryCount } = hostConfig.RestartPolicy
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(Name)) {
    throw fail('E_PARAMETER', { name: 'restart policy', problem: `unknown policy '${Name}'` })
  }
  if (MaximumRetryCount && Name !== 'on-failure') {
    throw fail('E_PARAMETER', {
      name: 'restart policy',
      problem: 'maximum retry count can only be used with on-failure',
    })
  }
  if (hostConfig.AutoRemove && Name !== '' && Name !== 'no') {
    throw fail('E_PARAMETER', {
      name: 'restart policy',
      problem: "can't create 'AutoRemove' container with restart policy",
    })
  }
}

/** The request over the image: an entrypoint of one's own resets the image's command. */
export function mergeConfig(request: CreateRequest, image: ImageConfig, id: string): ContainerConfig {
  const ownEntrypoint = request.Entrypoint != null && request.Entrypoint.length > 0
  // [""] takes the image's entrypoint away.
  const cleared = request.Entrypoint?.length === 1 && request.Entrypoint[0] === ''
  const entrypoint = cleared ? null : ownEntrypoint ? request.Entrypoint! : (image.Entrypoint ?? null)
  const imageCommand = ownEntrypoint ? null : (image.Cmd ?? null)
  return {
    Hostname: request.Hostname || id.slice(0, 12),
    Domainname: request.Domainname ?? '',
    User: request.User || image.User || '',
    AttachStdin: request.AttachStdin ?? false,
    AttachStdout: request.AttachStdout ?? false,
    AttachStderr: request.AttachStderr ?? false,
    ExposedPorts: { ...image.ExposedPorts, ...request.ExposedPorts },
    Tty: request.Tty ?? false,
    OpenStdin: request.OpenStdin ?? false,
    StdinOnce: request.StdinOnce ?? false,
    Env: mergeEnvironment(image.Env ?? [], request.Env ?? []),
    Cmd: request.Cmd?.length ? request.Cmd : imageCommand,
    Healthcheck: mergeHealthcheck(request.Healthcheck, image.Healthcheck ?? undefined),
    Image: request.Image,
    Volumes: { ...image.Volumes, ...request.Volumes },
    WorkingDir: request.WorkingDir || image.WorkingDir || '',
    Entrypoint: entrypoint,
    OnBuild: null,
    Labels: { ...image.Labels, ...request.Labels },
    StopSignal: request.StopSignal ?? image.StopSignal,
    StopTimeout: request.StopTimeout,
    Shell: request.Shell ?? image.Shell ?? undefined,
  }
}

function mergeEnvironment(image: string[], own: string[]): string[] {
  const names = new Set(own.map((entry) => entry.split('=', 1)[0]))
  return [...own, ...image.filter((entry) => !names.has(entry.split('=', 1)[0]))]
}

function mergeHealthcheck(
  own: ContainerConfig['Healthcheck'],
  image: ContainerConfig['Healthcheck'],
): ContainerConfig['Healthcheck'] {
  if (!own) return image
  if (!image) return own
  return {
    ...image,
    ...Object.fromEntries(Object.entries(own).filter(([, v]) => (Array.isArray(v) ? v.length > 0 : v))),
  }
}

/** Docker's defaults for what the request leaves out. @throws E_UNSUPPORTED */
export function fillHostConfig(host: Partial<HostConfig> & Record<string, unknown>): HostConfig {
  refuseUnsupported(host)
  return {
    Binds: host.Binds ?? null,
    Mounts: host.Mounts,
    Tmpfs: host.Tmpfs,
    LogConfig: { Type: host.LogConfig?.Type || 'json-file', Config: host.LogConfig?.Config ?? {} },
    NetworkMode: host.NetworkMode || 'default',
    PortBindings: host.PortBindings ?? {},
    PublishAllPorts: host.PublishAllPorts ?? false,
    RestartPolicy: {
      Name: host.RestartPolicy?.Name || 'no',
      MaximumRetryCount: host.RestartPolicy?.MaximumRetryCount ?? 0,
    },
    AutoRemove: host.AutoRemove ?? false,
    CapAdd: host.CapAdd ?? null,
    CapDrop: host.CapDrop ?? null,
    CgroupnsMode: host.CgroupnsMode ?? '',
    Dns: host.Dns ?? [],
    DnsOptions: host.DnsOptions ?? [],
    DnsSearch: host.DnsSearch ?? [],
    ExtraHosts: host.ExtraHosts ?? null,
    GroupAdd: host.GroupAdd ?? null,
    IpcMode: host.IpcMode || 'private',
    PidMode: host.PidMode ?? '',
    UTSMode: host.UTSMode ?? '',
    UsernsMode: host.UsernsMode ?? '',
    OomScoreAdj: host.OomScoreAdj ?? 0,
    Privileged: host.Privileged ?? false,
    ReadonlyRootfs: host.ReadonlyRootfs ?? false,
    SecurityOpt: host.SecurityOpt ?? null,
    ShmSize: host.ShmSize || 64 * 2 ** 20,
    Sysctls: host.Sysctls,
    Runtime: host.Runtime || 'tshost',
    Devices: host.Devices ?? null,
    Ulimits: host.Ulimits ?? null,
    CpuShares: host.CpuShares ?? 0,
    Memory: host.Memory ?? 0,
    MemoryReservation: host.MemoryReservation ?? 0,
    MemorySwap: host.MemorySwap ?? 0,
    MemorySwappiness: host.MemorySwappiness ?? null,
    OomKillDisable: host.OomKillDisable ?? null,
    NanoCpus: host.NanoCpus ?? 0,
    CpuPeriod: host.CpuPeriod ?? 0,
    CpuQuota: host.CpuQuota ?? 0,
    CpusetCpus: host.CpusetCpus ?? '',
    CpusetMems: host.CpusetMems ?? '',
    PidsLimit: host.PidsLimit ?? null,
    CgroupParent: host.CgroupParent ?? '',
    ConsoleSize: host.ConsoleSize ?? [0, 0],
    MaskedPaths: host.MaskedPaths ?? [...defaultMaskedPaths],
    ReadonlyPaths: host.ReadonlyPaths ?? [...defaultReadonlyPaths],
    Init: host.Init,
  }
}

function endpointsOf(request: CreateRequest): Record<string, EndpointRequest> {
  const asked = request.NetworkingConfig?.EndpointsConfig ?? {}
  return Object.fromEntries(Object.entries(asked).map(([network, endpoint]) => [network, endpoint ?? {}]))
}

/** What the networks must know of a container. */
export function networkRequest(record: ContainerRecord): NetworkRequest {
  const { config, hostConfig } = record
  return {
    id: record.id,
    name: record.name,
    hostname: config.Hostname,
    domainname: config.Domainname,
    networkMode: hostConfig.NetworkMode,
    endpoints: record.endpoints,
    ports: hostConfig.PortBindings,
    exposedPorts: config.ExposedPorts ?? {},
    publishAll: hostConfig.PublishAllPorts,
    dns: hostConfig,
  }
}

async function makeMounts(
  context: ContainerContext,
  requests: MountRequest[],
  layers: string[],
): Promise<MountPoint[]> {
  const made: MountPoint[] = []
  try {
    for (const request of requests) {
      const { point, volume } = request
      if (point.Type === 'bind') prepareBindSource(request)
      if (!volume) {
        made.push(point)
        continue
      }
      const { name, path, driver } = await context.volumes.ensure(volume)
      made.push({ ...point, Name: name, Source: path, Driver: driver })
      if (!volume.noCopy) await context.volumes.populate(name, layers, point.Destination)
    }
    return made
  } catch (error) {
    await removeAnonymousVolumes(context, made)
    throw error
  }
}

/** Those that no user has named. */
export async function removeAnonymousVolumes(context: ContainerContext, mounts: MountPoint[]): Promise<void> {
  for (const mount of mounts)
    if (mount.Type === 'volume' && mount.Name) await context.volumes.removeAnonymous(mount.Name)
}
