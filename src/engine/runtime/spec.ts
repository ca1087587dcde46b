/** config.json of the OCI runtime specification 1.2, as far as Linux goes. Field names are the specification's. */
import type { SeccompProfile } from '../kernel/seccomp/profile.ts'

export interface Spec {
  ociVersion: string
  hostname?: string
  domainname?: string
  root: { path: string; readonly?: boolean }
  mounts?: Mount[]
  process?: Process
  hooks?: Partial<Record<HookName, Hook[]>>
  annotations?: Record<string, string>
  linux?: Linux
}

export type HookName =
  | 'prestart'
  | 'createRuntime'
  | 'createContainer'
  | 'startContainer'
  | 'poststart'
  | 'poststop'

export interface Hook {
  path: string
  args?: string[]
  env?: string[]
  /** Seconds. */
  timeout?: number
}

export interface Mount {
  destination: string
  type?: string
  source?: string
  options?: string[]
}

export interface User {
  uid: number
  gid: number
  umask?: number
  additionalGids?: number[]
}

export interface Rlimit {
  /** RLIMIT_NOFILE and so on. */
  type: string
  hard: number
  soft: number
}

export type CapabilitySet = 'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient'

export interface Process {
  terminal?: boolean
  consoleSize?: { height: number; width: number }
  user: User
  args?: string[]
  env?: string[]
  cwd: string
  capabilities?: Partial<Record<CapabilitySet, string[]>>
  rlimits?: Rlimit[]
  noNewPrivileges?: boolean
  oomScoreAdj?: number
  apparmorProfile?: string
  selinuxLabel?: string
}

export type NamespaceType = 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'user' | 'cgroup' | 'time'

export interface Device {
  type: 'c' | 'b' | 'u' | 'p'
  path: string
  major?: number
  minor?: number
  fileMode?: number
  uid?: number
  gid?: number
}

export interface DeviceRule {
  allow: boolean
  /** a, c or b; a when left out. */
  type?: string
  /** Any when left out. */
  major?: number
  minor?: number
  /** Of r, w and m; all when left out. */
  access?: string
}

export interface Resources {
  devices?: DeviceRule[]
  memory?: {
    /** Bytes; -1 for none. */
    limit?: number
    reservation?: number
    /** Memory and swap together; -1 for none. */
    swap?: number
    swappiness?: number
    disableOOMKiller?: boolean
  }
  cpu?: {
    shares?: number
    /** Microseconds. */
    quota?: number
    period?: number
    burst?: number
    cpus?: string
    mems?: string
    idle?: number
  }
  pids?: { limit: number }
  /** Files of cgroup v2, written as they are. */
  unified?: Record<string, string>
}

export interface Linux {
  namespaces?: { type: NamespaceType; path?: string }[]
  devices?: Device[]
  resources?: Resources
  cgroupsPath?: string
  sysctl?: Record<string, string>
  seccomp?: SeccompProfile
  rootfsPropagation?: string
  maskedPaths?: string[]
  readonlyPaths?: string[]
  uidMappings?: IdMapping[]
  gidMappings?: IdMapping[]
}

export interface IdMapping {
  containerID: number
  hostID: number
  size: number
}
