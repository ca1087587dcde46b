/** Containers as the Docker Engine API spells them; kept on disk in the same words. */

export interface ContainerConfig {
  Hostname: string
  Domainname: string
  User: string
  AttachStdin: boolean
  AttachStdout: boolean
  AttachStderr: boolean
  ExposedPorts?: Record<string, object>
  Tty: boolean
  OpenStdin: boolean
  StdinOnce: boolean
  Env: string[]
  Cmd: string[] | null
  Healthcheck?: HealthConfig
  Image: string
  Volumes?: Record<string, object> | null
  WorkingDir: string
  Entrypoint: string[] | null
  OnBuild?: string[] | null
  Labels: Record<string, string>
  StopSignal?: string
  /** Seconds. */
  StopTimeout?: number
  Shell?: string[]
}

/** Durations are nanoseconds. */
export interface HealthConfig {
  Test?: string[]
  Interval?: number
  Timeout?: number
  Retries?: number
  StartPeriod?: number
  StartInterval?: number
}

export interface PortBinding {
  HostIp: string
  HostPort: string
}

export interface RestartPolicy {
  Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure'
  MaximumRetryCount: number
}

export interface MountSpec {
  Type: 'bind' | 'volume' | 'tmpfs'
  Source?: string
  Target: string
  ReadOnly?: boolean
  Consistency?: string
  BindOptions?: {
    Propagation?: string
    NonRecursive?: boolean
    CreateMountpoint?: boolean
    ReadOnlyNonRecursive?: boolean
  }
  VolumeOptions?: {
    NoCopy?: boolean
    Labels?: Record<string, string>
    DriverConfig?: { Name?: string; Options?: Record<string, string> }
    /** Refused. */
    Subpath?: string
  }
  TmpfsOptions?: { SizeBytes?: number; Mode?: number }
}

export interface DeviceMapping {
  PathOnHost: string
  PathInContainer: string
  CgroupPermissions: string
}

export interface HostConfig {
  Binds: string[] | null
  Mounts?: MountSpec[]
  Tmpfs?: Record<string, string>
  LogConfig: { Type: string; Config: Record<string, string> }
  NetworkMode: string
  PortBindings: Record<string, PortBinding[]>
  PublishAllPorts: boolean
  RestartPolicy: RestartPolicy
  AutoRemove: boolean
  CapAdd: string[] | null
  CapDrop: string[] | null
  CgroupnsMode: string
  Dns: string[]
  DnsOptions: string[]
  DnsSearch: string[]
  ExtraHosts: string[] | null
  GroupAdd: string[] | null
  IpcMode: string
  PidMode: string
  UTSMode: string
  UsernsMode: string
  OomScoreAdj: number
  Privileged: boolean
  ReadonlyRootfs: boolean
  SecurityOpt: string[] | null
  ShmSize: number
  Sysctls?: Record<string, string>
  Runtime: string
  Devices: DeviceMapping[] | null
  Ulimits: { Name: string; Soft: number; Hard: number }[] | null
  CpuShares: number
  Memory: number
  MemoryReservation: number
  MemorySwap: number
  MemorySwappiness: number | null
  OomKillDisable: boolean | null
  NanoCpus: number
  CpuPeriod: number
  CpuQuota: number
  CpusetCpus: string
  CpusetMems: string
  PidsLimit: number | null
  CgroupParent: string
  /** [height, width] of the terminal at its start. */
  ConsoleSize: [number, number]
  MaskedPaths: string[]
  ReadonlyPaths: string[]
  Init?: boolean | null
}

export interface EndpointRequest {
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: string[] } | null
  Aliases?: string[] | null
  MacAddress?: string
  DriverOpts?: Record<string, string> | null
  Links?: string[] | null
}

export type Status = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

export interface ContainerState {
  status: Status
  pid: number
  exitCode: number
  error: string
  oomKilled: boolean
  /** RFC 3339; Go's zero time while there is none. */
  startedAt: string
  finishedAt: string
  health?: Health
}

export interface Health {
  Status: 'starting' | 'healthy' | 'unhealthy'
  FailingStreak: number
  Log: { Start: string; End: string; ExitCode: number; Output: string }[]
}

/** Go's zero time, as Docker shows a time that there is not. */
export const zeroTime = '0001-01-01T00:00:00Z'

/** What is mounted into a container, as `inspect` shows it. */
export interface MountPoint {
  Type: 'bind' | 'volume' | 'tmpfs'
  Name?: string
  Source: string
  Destination: string
  Driver?: string
  Mode: string
  RW: boolean
  Propagation: string
}
