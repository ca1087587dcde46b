/** /_ping, /version, /info, /auth, /system/df and what else is about the engine as a whole. */
import { readFileSync } from 'node:fs'
import { arch, cpus, release, totalmem } from 'node:os'
import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import type { ApiContext } from '../context.ts'
import { maxVersion, minVersion } from '../versions.ts'

const goArch: Record<string, string> = { x64: 'amd64', arm64: 'arm64' }
const kernelArch: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' }

export function systemRoutes(context: ApiContext): FastifyPluginAsync {
  return async (app) => {
    const ping = async (reply: FastifyReply, body: string) => {
      const { LocalNodeState, ControlAvailable } = context.system.swarm()
      return reply
        .headers({
          'Builder-Version': '1',
          'Cache-Control': 'no-cache, no-store, must-revalidate',
          Pragma: 'no-cache',
          Swarm:
            LocalNodeState === 'active'
              ? `active/${ControlAvailable ? 'manager' : 'worker'}`
              : LocalNodeState,
          'Content-Type': 'text/plain; charset=utf-8',
        })
        .send(body)
    }
    app.get('/_ping', (_request, reply) => ping(reply, 'OK'))
    app.head('/_ping', (_request, reply) => ping(reply, ''))
    app.get('/version', async () => versionAnswer(context))
    app.get('/info', async () => infoAnswer(context))
    app.get('/plugins', async () => [])
  }
}

function versionAnswer({ system }: ApiContext): object {
  const details = {
    ApiVersion: maxVersion,
    MinAPIVersion: minVersion,
    Arch: goArch[arch()] ?? arch(),
    KernelVersion: release(),
    Os: 'linux',
    Version: system.version,
  }
  return {
    Platform: { Name: 'tsmachine' },
    Components: [{ Name: 'Engine', Version: system.version, Details: { ...details, Experimental: 'false' } }],
    Version: system.version,
    ApiVersion: maxVersion,
    MinAPIVersion: minVersion,
    GitCommit: '',
    GoVersion: `none (node ${process.versions.node})`,
    Os: 'linux',
    Arch: details.Arch,
    KernelVersion: details.KernelVersion,
  }
}

function infoAnswer({ system, containers, events, images }: ApiContext): object {
  const all = containers.table.all()
  const count = (status: string) => all.filter((c) => c.record.state.status === status).length
  const { version } = containers.features.cgroups
  const running = count('running')
  const paused = count('paused')
  return {
    ID: system.id,
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
    Images: images.list().length,
    Driver: 'overlay2',
    DriverStatus: [['Backing Filesystem', 'extfs']],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null', 'overlay'],
      Authorization: null,
      Log: ['json-file', 'local'],
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    Debug: false,
    NFd: 0,
    OomKillDisable: version === 1,
    NGoroutines: 0,
    SystemTime: new Date().toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(version),
    NEventsListener: events.listenerCount(),
    KernelVersion: release(),
    OperatingSystem: osRelease('PRETTY_NAME') ?? 'Linux',
    OSVersion: osRelease('VERSION_ID') ?? '',
    OSType: 'linux',
    Architecture: kernelArch[arch()] ?? arch(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: ['127.0.0.0/8', '::1/128'], Mirrors: [] },
    NCPU: cpus().length,
    MemTotal: totalmem(),
    GenericResources: null,
    DockerRootDir: system.dataRoot,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: system.name,
    Labels: system.labels,
    ExperimentalBuild: false,
    ServerVersion: system.version,
    Runtimes: { tshost: { path: 'tshost' } },
    DefaultRuntime: 'tshost',
    Swarm: system.swarm(),
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '' },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
    Warnings: null,
  }
}

function osRelease(name: string): string | undefined {
  try {
    const text = readFileSync('/etc/os-release', 'utf8')
    return new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1]
  } catch {
    // A host without the file has no name to show.
    return undefined
  }
}
