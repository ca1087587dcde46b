import type { Driver, Labels, Platform, Resources } from './meta.ts'

export interface Mount {
  Type: string
  Source?: string
  Target: string
  ReadOnly?: boolean
  Consistency?: string
  BindOptions?: Record<string, unknown>
  VolumeOptions?: {
    NoCopy?: boolean
    Labels?: Labels
    DriverConfig?: Driver
    Subpath?: string
  }
  ImageOptions?: { Subpath?: string }
  TmpfsOptions?: { SizeBytes?: number; Mode?: number; Options?: string[][] }
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

export interface FileTarget {
  Name: string
  UID: string
  GID: string
  Mode: number
}

export interface ContainerSpec {
  Image: string
  Labels?: Labels
  Command?: string[]
  Args?: string[]
  Hostname?: string
  Env?: string[]
  Dir?: string
  User?: string
  Groups?: string[]
  Privileges?: Record<string, unknown>
  TTY?: boolean
  OpenStdin?: boolean
  ReadOnly?: boolean
  Mounts?: Mount[]
  StopSignal?: string
  /** Nanoseconds. */
  StopGracePeriod?: number
  Healthcheck?: HealthConfig
  /** The spelling of the API's description; the docker command sends `Healthcheck`. */
  HealthCheck?: HealthConfig
  Hosts?: string[]
  DNSConfig?: { Nameservers?: string[]; Search?: string[]; Options?: string[] }
  Secrets?: { File?: FileTarget; SecretID: string; SecretName: string }[]
  Configs?: { File?: FileTarget; Runtime?: object; ConfigID: string; ConfigName: string }[]
  Isolation?: string
  Init?: boolean
  Sysctls?: Record<string, string>
  CapabilityAdd?: string[]
  CapabilityDrop?: string[]
  Ulimits?: { Name: string; Soft: number; Hard: number }[]
  OomScoreAdj?: number
}

export interface RestartPolicy {
  Condition?: 'none' | 'on-failure' | 'any' | ''
  /** Nanoseconds. */
  Delay?: number
  MaxAttempts?: number
  /** Nanoseconds; 0 or none: all time. */
  Window?: number
}

export interface Placement {
  Constraints?: string[]
  Preferences?: { Spread?: { SpreadDescriptor: string } }[]
  MaxReplicas?: number
  Platforms?: Platform[]
}

export interface NetworkTarget {
  /** The network's id (users may give its name; the manager writes the id). */
  Target: string
  Aliases?: string[]
  DriverOpts?: Record<string, string>
}

export interface TaskSpec {
  ContainerSpec?: ContainerSpec
  PluginSpec?: object
  NetworkAttachmentSpec?: object
  Resources?: {
    Limits?: { NanoCPUs?: number; MemoryBytes?: number; Pids?: number }
    Reservations?: Resources
  }
  RestartPolicy?: RestartPolicy
  Placement?: Placement
  ForceUpdate?: number
  Runtime?: string
  Networks?: NetworkTarget[]
  LogDriver?: Driver
}
