/** HostConfig's limits -> the OCI specification's. Checks what Docker checks. */
import { capabilityNames } from '../kernel/capabilities.ts'
import { defaultCapabilities, defaultDeviceRules } from '../runtime/defaults.ts'
import type { Device, DeviceRule, Resources, Rlimit } from '../runtime/spec.ts'
import { statDevice } from './devices.ts'
import { fail } from './errors.ts'
import { type HostCpus, isWithin } from './host-cpus.ts'
import type { HostConfig } from './types.ts'

const minimumMemory = 6 * 2 ** 20

/** @throws E_PARAMETER as Docker refuses */
export function validateResources(host: HostConfig, available: HostCpus): void {
  const refuse = (name: string, problem: string) => {
    throw fail('E_PARAMETER', { name, problem })
  }
  if (host.Memory < 0) refuse('memory', 'must not be negative')
  if (host.Memory && host.Memory < minimumMemory) refuse('memory', 'Minimum memory limit allowed is 6MB')
  if (host.MemorySwap > 0 && !host.Memory) refuse('memory-swap', 'needs a memory limit as well')
  if (host.MemorySwap > 0 && host.MemorySwap < host.Memory) {
    refuse('memory-swap', 'Minimum memoryswap limit should be larger than memory limit')
  }
  if (host.MemoryReservation && host.Memory && host.MemoryReservation > host.Memory) {
    refuse('memory-reservation', 'must not be larger than the memory limit')
  }
  if (host.MemorySwappiness !== null && host.MemorySwappiness !== -1) {
    if (host.MemorySwappiness < 0 || host.MemorySwappiness > 100)
      refuse('memory-swappiness', 'range is 0 to 100')
  }
  if (host.NanoCpus && (host.CpuPeriod || host.CpuQuota))
    refuse('cpus', 'conflicts with cpu-period and cpu-quota')
  // Less is less than the kernel's least quota, a millisecond.
  if (host.NanoCpus !== 0 && (host.NanoCpus < 1e7 || host.NanoCpus > available.count * 1e9)) {
    const { count } = available
    throw fail('E_RESOURCES', {
      problem: `Range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`,
    })
  }
  if (host.CpuPeriod && (host.CpuPeriod < 1000 || host.CpuPeriod > 1_000_000)) {
    refuse('cpu-period', 'range is 1ms to 1s (1000 to 1000000 microseconds)')
  }
  if (host.CpuQuota > 0 && host.CpuQuota < 1000)
    refuse('cpu-quota', 'must not be less than 1ms (1000 microseconds)')
  for (const [name, what, text, there] of [
    ['cpuset-cpus', 'CPUs', host.CpusetCpus, available.cpus],
    ['cpuset-mems', 'memory nodes', host.CpusetMems, available.mems],
  ] as const) {
    if (text && !isList(text)) refuse(name, `${text} is no list such as 0-2,4`)
    if (text && there && !isWithin(text, there)) {
      throw fail('E_RESOURCES', {
        problem: `Requested ${what} are not available - requested ${text}, available: ${there}`,
      })
    }
  }
}

function isList(text: string): boolean {
  return text.split(',').every((range) => {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? []
    return first !== undefined && Number(first) <= Number(last)
  })
}

export function toResources(host: HostConfig): Resources {
  const swap = host.MemorySwap || (host.Memory ? host.Memory * 2 : 0)
  const period = host.NanoCpus ? 100_000 : host.CpuPeriod
  const quota = host.NanoCpus ? Math.round(host.NanoCpus / 1e4) : host.CpuQuota
  return {
    devices: host.Privileged ? [{ allow: true, access: 'rwm' }] : deviceRules(host),
    memory: {
      ...(host.Memory ? { limit: host.Memory } : {}),
      ...(swap ? { swap } : {}),
      ...(host.MemoryReservation ? { reservation: host.MemoryReservation } : {}),
      ...(host.MemorySwappiness !== null && host.MemorySwappiness >= 0
        ? { swappiness: host.MemorySwappiness }
        : {}),
      ...(host.OomKillDisable ? { disableOOMKiller: true } : {}),
    },
    cpu: {
      ...(host.CpuShares ? { shares: host.CpuShares } : {}),
      ...(quota ? { quota } : {}),
      ...(period ? { period } : {}),
      ...(host.CpusetCpus ? { cpus: host.CpusetCpus } : {}),
      ...(host.CpusetMems ? { mems: host.CpusetMems } : {}),
    },
    ...(host.PidsLimit && host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
  }
}

function deviceRules(host: HostConfig): DeviceRule[] {
  const asked = toDevices(host).map(({ device, permissions }) => ({
    allow: true,
    type: device.type,
    major: device.major,
    minor: device.minor,
    access: permissions,
  }))
  return [...defaultDeviceRules, ...asked]
}

/** The devices of --device, as files and with what may be done to them. */
export function toDevices(host: HostConfig): { device: Device; permissions: string }[] {
  return (host.Devices ?? []).map((mapping) => {
    const permissions = mapping.CgroupPermissions || 'rwm'
    if (!/^[rwm]+$/.test(permissions)) {
      throw fail('E_PARAMETER', {
        name: 'device',
        problem: `permissions ${permissions} are not of r, w and m`,
      })
    }
    return {
      device: statDevice(mapping.PathOnHost, mapping.PathInContainer || mapping.PathOnHost),
      permissions,
    }
  })
}

const rlimitNames: Record<string, string> = {
  core: 'RLIMIT_CORE',
  cpu: 'RLIMIT_CPU',
  data: 'RLIMIT_DATA',
  fsize: 'RLIMIT_FSIZE',
  locks: 'RLIMIT_LOCKS',
  memlock: 'RLIMIT_MEMLOCK',
  msgqueue: 'RLIMIT_MSGQUEUE',
  nice: 'RLIMIT_NICE',
  nofile: 'RLIMIT_NOFILE',
  nproc: 'RLIMIT_NPROC',
  rss: 'RLIMIT_RSS',
  rtprio: 'RLIMIT_RTPRIO',
  rttime: 'RLIMIT_RTTIME',
  sigpending: 'RLIMIT_SIGPENDING',
  stack: 'RLIMIT_STACK',
}

/** Node raises its own soft limit of open files, so containers get theirs set: 1024, as a login has. */
export function toRlimits(host: HostConfig, openFiles: number): Rlimit[] {
  const asked = (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => {
    const type = rlimitNames[Name]
    if (!type) throw fail('E_PARAMETER', { name: 'ulimit', problem: `unknown limit ${Name}` })
    if (Hard >= 0 && Soft > Hard) {
      throw fail('E_PARAMETER', { name: 'ulimit', problem: `${Name}: soft ${Soft} is over hard ${Hard}` })
    }
    return { type, soft: Soft, hard: Hard }
  })
  if (asked.some((limit) => limit.type === 'RLIMIT_NOFILE')) return asked
  return [...asked, { type: 'RLIMIT_NOFILE', soft: Math.min(1024, openFiles), hard: openFiles }]
}

/** --cap-add and --cap-drop over Docker's default; "ALL" in either. */
export function toCapabilities(host: HostConfig): string[] {
  if (host.Privileged) return [...capabilityNames]
  const normal = (name: string) => {
    const full = name.toUpperCase().replace(/^(CAP_)?/, 'CAP_')
    if (full !== 'CAP_ALL' && !capabilityNames.includes(full)) {
      throw fail('E_PARAMETER', { name: 'capability', problem: `unknown: ${name}` })
    }
    return full
  }
  const add = (host.CapAdd ?? []).map(normal)
  const drop = (host.CapDrop ?? []).map(normal)
  const base = add.includes('CAP_ALL') ? capabilityNames : drop.includes('CAP_ALL') ? [] : defaultCapabilities
  const named = add.filter((cap) => cap !== 'CAP_ALL')
  return [...new Set([...base.filter((cap) => !drop.includes(cap)), ...named])]
}
