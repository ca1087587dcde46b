/**
 * What a request may ask for and this engine does not do. A clear refusal beats a container that silently
 * lacks what its owner relied on. docs/api.md has the same list.
 */
import { fail } from './errors.ts'

type Asked = (value: unknown) => boolean
const anything: Asked = (value) =>
  Array.isArray(value)
    ? value.length > 0
    : value !== undefined && value !== null && value !== '' && value !== 0 && value !== false
const filled: Asked = (value) => typeof value === 'object' && value !== null && Object.keys(value).length > 0

const refused: [field: string, asked: Asked, what: string][] = [
  ['Links', anything, 'HostConfig.Links (legacy links; use a network with aliases)'],
  ['VolumesFrom', anything, 'HostConfig.VolumesFrom'],
  ['VolumeDriver', (v) => anything(v) && v !== 'local', 'HostConfig.VolumeDriver other than local'],
  ['DeviceRequests', anything, 'HostConfig.DeviceRequests (GPUs)'],
  ['DeviceCgroupRules', anything, 'HostConfig.DeviceCgroupRules'],
  ['StorageOpt', filled, 'HostConfig.StorageOpt'],
  ['Runtime', (v) => anything(v) && v !== 'tshost' && v !== 'runc', 'HostConfig.Runtime other than tshost'],
  ['UsernsMode', (v) => anything(v) && v !== 'host', 'HostConfig.UsernsMode other than host'],
  ['Isolation', (v) => anything(v) && v !== 'default', 'HostConfig.Isolation other than default'],
  ['CgroupParent', anything, 'HostConfig.CgroupParent'],
  ['Cgroup', anything, 'HostConfig.Cgroup'],
  ['CpuRealtimePeriod', anything, 'HostConfig.CpuRealtimePeriod'],
  ['CpuRealtimeRuntime', anything, 'HostConfig.CpuRealtimeRuntime'],
  ['BlkioWeight', anything, 'HostConfig.BlkioWeight'],
  ['BlkioWeightDevice', anything, 'HostConfig.BlkioWeightDevice'],
  ['BlkioDeviceReadBps', anything, 'HostConfig.BlkioDeviceReadBps'],
  ['BlkioDeviceWriteBps', anything, 'HostConfig.BlkioDeviceWriteBps'],
  ['BlkioDeviceReadIOps', anything, 'HostConfig.BlkioDeviceReadIOps'],
  ['BlkioDeviceWriteIOps', anything, 'HostConfig.BlkioDeviceWriteIOps'],
  ['Init', (v) => v === true, 'HostConfig.Init (--init)'],
]

/** @throws E_UNSUPPORTED naming the field */
export function refuseUnsupported(host: Record<string, unknown>): void {
  for (const [field, asked, what] of refused) if (asked(host[field])) throw fail('E_UNSUPPORTED', { what })
  const { Type } = (host.LogConfig ?? {}) as { Type?: string }
  if (Type && !['json-file', 'local'].includes(Type))
    throw fail('E_UNSUPPORTED', { what: `log driver ${Type}` })
  for (const [field, allowed] of [
    ['PidMode', /^(host|container:.+)?$/],
    ['IpcMode', /^(none|private|shareable|host|container:.+)?$/],
    ['UTSMode', /^(host)?$/],
    ['CgroupnsMode', /^(host|private)?$/],
  ] as const) {
    const value = (host[field] ?? '') as string
    if (!allowed.test(value)) throw fail('E_PARAMETER', { name: field, problem: value })
  }
}
