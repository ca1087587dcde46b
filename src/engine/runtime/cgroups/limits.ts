/**
 * OCI resources -> what is written to which cgroup file. Pure; the tape, or `update`, does the writing.
 */
import type { DeviceRule, Resources } from '../spec.ts'

/** A file of one controller and its new content, in the order in which they must be written. */
export interface CgroupWrite {
  controller: string
  file: string
  value: string
  /** The kernel may lack the file (swap accounting off, no burst): no failure. */
  optional?: boolean
}

const number = (value: number) => (value < 0 ? '-1' : String(value))
const orMax = (value: number) => (value < 0 ? 'max' : String(value))

/** cgroup v1: Documentation/admin-guide/cgroup-v1 of the kernel. */
export function limitsV1(resources: Resources): CgroupWrite[] {
  const { memory, cpu, pids, devices } = resources
  const writes: CgroupWrite[] = []
  const add = (controller: string, file: string, value: string | number | undefined, optional = false) => {
    if (value !== undefined)
      writes.push({ controller, file: `${controller}.${file}`, value: String(value), optional })
  }
  if (memory?.limit !== undefined) add('memory', 'limit_in_bytes', number(memory.limit))
  if (memory?.swap !== undefined) add('memory', 'memsw.limit_in_bytes', number(memory.swap), true)
  if (memory?.reservation !== undefined) add('memory', 'soft_limit_in_bytes', number(memory.reservation))
  if (memory?.swappiness !== undefined) add('memory', 'swappiness', memory.swappiness)
  if (memory?.disableOOMKiller) add('memory', 'oom_control', 1)
  if (cpu?.shares) add('cpu', 'shares', cpu.shares)
  if (cpu?.period) add('cpu', 'cfs_period_us', cpu.period)
  if (cpu?.quota) add('cpu', 'cfs_quota_us', number(cpu.quota))
  if (cpu?.burst !== undefined) add('cpu', 'cfs_burst_us', cpu.burst, true)
  if (cpu?.idle !== undefined) add('cpu', 'idle', cpu.idle)
  if (cpu?.cpus) add('cpuset', 'cpus', cpu.cpus)
  if (cpu?.mems) add('cpuset', 'mems', cpu.mems)
  if (pids) add('pids', 'max', pids.limit > 0 ? pids.limit : 'max')
  for (const rule of devices ?? []) add('devices', rule.allow ? 'allow' : 'deny', deviceLine(rule))
  return writes
}

/** cgroup v2: Documentation/admin-guide/cgroup-v2.rst of the kernel. Devices are a BPF program's matter. */
export function limitsV2(resources: Resources): CgroupWrite[] {
  const { memory, cpu, pids, unified } = resources
  const writes: CgroupWrite[] = []
  const add = (file: string, value: string | number | undefined, optional = false) => {
    if (value !== undefined) writes.push({ controller: '', file, value: String(value), optional })
  }
  if (memory?.limit !== undefined) add('memory.max', orMax(memory.limit))
  if (memory?.swap !== undefined) add('memory.swap.max', swapAlone(memory.swap, memory.limit), true)
  if (memory?.reservation !== undefined) add('memory.low', orMax(memory.reservation))
  if (cpu?.shares) add('cpu.weight', weightOf(cpu.shares))
  if (cpu?.quota || cpu?.period) {
    add('cpu.max', `${cpu.quota && cpu.quota > 0 ? cpu.quota : 'max'} ${cpu.period || 100000}`)
  }
  if (cpu?.burst !== undefined) add('cpu.max.burst', cpu.burst, true)
  if (cpu?.idle !== undefined) add('cpu.idle', cpu.idle)
  if (cpu?.cpus) add('cpuset.cpus', cpu.cpus)
  if (cpu?.mems) add('cpuset.mems', cpu.mems)
  if (pids) add('pids.max', pids.limit > 0 ? pids.limit : 'max')
  for (const [file, value] of Object.entries(unified ?? {})) add(file, value)
  return writes
}

/** v1 and OCI count swap together with memory, v2 alone. */
function swapAlone(swap: number, limit = -1): string {
  return swap < 0 || limit < 0 ? orMax(swap) : String(Math.max(0, swap - limit))
}

/** 2..262144 shares -> weight 1..10000, as runc and crun convert. */
function weightOf(shares: number): number {
  return 1 + Math.floor(((Math.min(Math.max(shares, 2), 262144) - 2) * 9999) / 262142)
}

/** "c 1:3 rwm", as devices.allow reads it. */
export function deviceLine(rule: DeviceRule): string {
  const part = (n: number | undefined) => (n === undefined || n < 0 ? '*' : String(n))
  const type = rule.type ?? 'a'
  if (type === 'a' && rule.major === undefined && rule.minor === undefined && !rule.access) return 'a'
  return `${type} ${part(rule.major)}:${part(rule.minor)} ${rule.access ?? 'rwm'}`
}
