/** A container's record -> the OCI specification of one run. Pure but for the device files it looks at. */
import { hostArch } from '../kernel/arch.ts'
import type { SeccompProfile } from '../kernel/seccomp/profile.ts'
import { defaultSeccomp } from '../runtime/default-seccomp.ts'
import { defaultMounts } from '../runtime/defaults.ts'
import type { Mount, NamespaceType, Process, Spec } from '../runtime/spec.ts'
import type { UserIdentity } from './context.ts'
import { fail } from './errors.ts'
import { toOciMount } from './mounts.ts'
import { ownNamespaces } from './namespaces.ts'
import type { ContainerRecord } from './record.ts'
import { toCapabilities, toDevices, toResources, toRlimits } from './resources.ts'
import type { ContainerConfig, HostConfig } from './types.ts'

export interface SpecInput {
  record: ContainerRecord
  folder: string
  cgroupPath: string
  identity: UserIdentity
  openFiles: number
  /** A namespace to join, a new one, or the host's. */
  network: { path: string } | { kind: 'own' | 'host' }
  /** Path of another container's, or undefined for an own one. */
  joined: Partial<Record<'pid' | 'ipc', string>>
  /** rro mounts. */
  deepReadonly: boolean
}

export function toSpec(input: SpecInput): Spec {
  const { record, folder, identity } = input
  const { config, hostConfig } = record
  const capabilities = toCapabilities(hostConfig)
  const security = securityOptions(hostConfig)
  return {
    ociVersion: '1.2.0',
    hostname: hostConfig.UTSMode === 'host' ? undefined : config.Hostname,
    domainname: hostConfig.UTSMode === 'host' ? undefined : config.Domainname || undefined,
    root: { path: '', readonly: hostConfig.ReadonlyRootfs },
    mounts: toMounts(input, folder),
    process: {
      terminal: config.Tty,
      consoleSize: { height: hostConfig.ConsoleSize[0], width: hostConfig.ConsoleSize[1] },
      user: { uid: identity.uid, gid: identity.gid, additionalGids: identity.groups },
      args: commandOf(config),
      env: environment(config, identity.home),
      cwd: config.WorkingDir || '/',
      capabilities: capabilitySets(capabilities, identity.uid),
      rlimits: toRlimits(hostConfig, input.openFiles),
      noNewPrivileges: security.noNewPrivileges,
      oomScoreAdj: hostConfig.OomScoreAdj,
    },
    linux: {
      namespaces: toNamespaces(input),
      devices: toDevices(hostConfig).map(({ device }) => device),
      resources: toResources(hostConfig),
      cgroupsPath: input.cgroupPath,
      sysctl: toSysctls(hostConfig),
      seccomp: seccompOf(hostConfig, capabilities),
      maskedPaths: hostConfig.Privileged || security.pathsUnconfined ? [] : hostConfig.MaskedPaths,
      readonlyPaths: hostConfig.Privileged || security.pathsUnconfined ? [] : hostConfig.ReadonlyPaths,
    },
  }
}

/** @throws E_NO_COMMAND */
export function commandOf(config: ContainerConfig): string[] {
  const args = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])]
  if (args.length === 0) throw fail('E_NO_COMMAND', {})
  return args
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/** Docker's order: PATH, HOSTNAME, TERM; then the container's own, which replace them; HOME last. */
export function environment(config: ContainerConfig, home: string): string[] {
  const result = new Map<string, string>()
  const base = [defaultPath, `HOSTNAME=${config.Hostname}`, ...(config.Tty ? ['TERM=xterm'] : [])]
  for (const entry of [...base, ...config.Env]) {
    const name = entry.split('=', 1)[0]!
    // "NAME" alone takes the variable away.
    if (entry.includes('=')) result.set(name, entry)
    else result.delete(name)
  }
  if (!result.has('HOME')) result.set('HOME', `HOME=${home}`)
  return [...result.values()]
}

/** Root gets them; another user may only gain them by a program's file capabilities. */
export function capabilitySets(list: string[], uid: number): Process['capabilities'] {
  return uid === 0
    ? { bounding: list, effective: list, permitted: list }
    : { bounding: list, effective: [], permitted: [] }
}

function toNamespaces(input: SpecInput): { type: NamespaceType; path?: string }[] {
  const { network } = input
  const paths: Partial<Record<NamespaceType, string>> = {
    ...input.joined,
    network: 'path' in network ? network.path : undefined,
  }
  return ownNamespaces(input.record).map((type) => ({ type, path: paths[type] }))
}

function toMounts(input: SpecInput, folder: string): Mount[] {
  const { record, deepReadonly } = input
  const { hostConfig } = record
  const privileged = hostConfig.Privileged
  const base = defaultMounts(hostConfig.ShmSize || undefined).map((mount) => {
    const options =
      privileged && /^\/sys/.test(mount.destination)
        ? mount.options!.filter((o) => o !== 'ro')
        : mount.options
    return { ...mount, options }
  })
  const managed = ['resolv.conf', 'hostname', 'hosts'].map((name) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: `${folder}/${name}`,
    options: ['rbind', 'rprivate', ...(hostConfig.ReadonlyRootfs ? ['ro'] : [])],
  }))
  const asked = record.mounts.map((point) => toOciMount(point, true, deepReadonly))
  const replaced = new Set(asked.map((m) => m.destination))
  const all = [...base, ...managed].filter((mount) => !replaced.has(mount.destination))
  if (hostConfig.IpcMode === 'host')
    replace(all, '/dev/shm', { type: 'bind', source: '/dev/shm', options: ['rbind', 'rprivate'] })
  // Deeper ones later, or they would be hidden.
  return [...all, ...asked.toSorted((a, b) => depth(a) - depth(b))]
}

function replace(mounts: Mount[], destination: string, change: Partial<Mount>): void {
  const index = mounts.findIndex((m) => m.destination === destination)
  if (index >= 0) mounts[index] = { ...mounts[index]!, ...change }
}

function depth(mount: Mount): number {
  return mount.destination.split('/').length
}

function toSysctls(hostConfig: HostConfig): Record<string, string> {
  // Only where the network namespace is the container's own would these not change the host.
  const shared = hostConfig.NetworkMode === 'host' || hostConfig.NetworkMode.startsWith('container:')
  return {
    ...(!shared
      ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' }
      : {}),
    ...hostConfig.Sysctls,
  }
}

interface SecurityOptions {
  noNewPrivileges: boolean
  pathsUnconfined: boolean
  seccomp?: 'unconfined' | SeccompProfile
}

/** --security-opt, in both of Docker's spellings. @throws E_PARAMETER, E_UNSUPPORTED */
export function securityOptions(hostConfig: HostConfig): SecurityOptions {
  const result: SecurityOptions = { noNewPrivileges: false, pathsUnconfined: false }
  for (const option of hostConfig.SecurityOpt ?? []) {
    const [, name, value] = /^([a-z-]+)(?:[=:]([\s\S]*))?$/.exec(option) ?? []
    if (name === 'no-new-privileges') result.noNewPrivileges = value !== 'false'
    else if (name === 'systempaths' && value === 'unconfined') result.pathsUnconfined = true
    else if (name === 'label') continue
    else if (name === 'apparmor' && value === 'unconfined') continue
    else if (name === 'apparmor') throw fail('E_UNSUPPORTED', { what: `security option ${option}` })
    else if (name === 'seccomp') result.seccomp = parseSeccomp(value ?? '')
    else throw fail('E_PARAMETER', { name: 'security-opt', problem: option.slice(0, 60) })
  }
  return result
}

function parseSeccomp(value: string): 'unconfined' | SeccompProfile | undefined {
  if (value === 'unconfined') return 'unconfined'
  if (value === 'builtin') return undefined
  try {
    const profile = JSON.parse(value) as SeccompProfile
    if (typeof profile.defaultAction === 'string') return profile
  } catch (error) {
    throw fail('E_PARAMETER', { name: 'seccomp profile', problem: 'is not JSON' }, error)
  }
  throw fail('E_PARAMETER', { name: 'seccomp profile', problem: 'has no defaultAction' })
}

export function seccompOf(
  hostConfig: HostConfig,
  capabilities: readonly string[],
): SeccompProfile | undefined {
  const { seccomp } = securityOptions(hostConfig)
  if (seccomp === 'unconfined' || (hostConfig.Privileged && !seccomp)) return undefined
  return seccomp ?? defaultSeccomp(capabilities, hostArch())
}
