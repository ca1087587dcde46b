import { describe, expect, it } from 'vitest'
import * as c from '../../../../src/engine/kernel/constants.ts'
import {
  cgroupFolders,
  controllerFolder,
  detectHierarchy,
} from '../../../../src/engine/runtime/cgroups/hierarchy.ts'
import { deviceLine, limitsV1, limitsV2 } from '../../../../src/engine/runtime/cgroups/limits.ts'
import { parseMountOptions } from '../../../../src/engine/runtime/plan/mount-options.ts'

const line = (id: number, at: string, type: string, options: string) =>
  `${id} 1 0:${id} / ${at} rw,nosuid - ${type} ${type} ${options}\n`
const v1 =
  line(1, '/sys/fs/cgroup/cpu,cpuacct', 'cgroup', 'rw,cpu,cpuacct') +
  line(2, '/sys/fs/cgroup/memory', 'cgroup', 'rw,memory') +
  line(3, '/sys/fs/cgroup/systemd', 'cgroup', 'rw,xattr,name=systemd')
const v2 = (at: string) => line(4, at, 'cgroup2', 'rw,nsdelegate')

describe('the cgroups of a machine', () => {
  it('are one tree on v2, and a tree for each controller on v1', () => {
    expect(detectHierarchy(v2('/sys/fs/cgroup'))).toEqual({
      version: 2,
      trees: [{ controllers: [''], mountPoint: '/sys/fs/cgroup' }],
    })
    expect(detectHierarchy(v1).trees.map(({ controllers }) => controllers)).toEqual([
      ['cpu', 'cpuacct'],
      ['memory'],
      ['name=systemd'],
    ])
  })

  it('are v1 on a hybrid machine, where the v2 tree has no controller', () => {
    expect(detectHierarchy(v2('/sys/fs/cgroup/unified') + v1).version).toBe(1)
  })

  it('that are mounted twice count once; with spaces in the path they are found', () => {
    const twice = detectHierarchy(v1 + line(9, '/other/memory', 'cgroup', 'rw,memory'))
    expect(twice.trees).toHaveLength(3)
    expect(detectHierarchy(v2('/mnt/my\\040groups')).trees[0]!.mountPoint).toBe('/mnt/my groups')
  })

  it('that are missing are named as what is missing', () => {
    expect(() => detectHierarchy(line(1, '/', 'ext4', 'rw'))).toThrow(
      expect.objectContaining({ code: 'E_NO_CGROUPS' }),
    )
  })

  it('have one folder a tree for each path', () => {
    const hierarchy = detectHierarchy(v1)
    expect(cgroupFolders(hierarchy, '/a/b')).toHaveLength(3)
    expect(controllerFolder(hierarchy, 'cpuacct', '/a')).toBe('/sys/fs/cgroup/cpu,cpuacct/a')
    expect(controllerFolder(hierarchy, 'pids', '/a')).toBeUndefined()
    expect(controllerFolder(detectHierarchy(v2('/sys/fs/cgroup')), 'pids', 'a')).toBe('/sys/fs/cgroup/a')
  })
})

describe('limits', () => {
  const resources = {
    memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 },
    cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: '0-1' },
    pids: { limit: 100 },
  }
  const files = (writes: { file: string; value: string }[]) =>
    writes.map(({ file, value }) => `${file}=${value}`)

  it('are written to their files on v1, memory before memory and swap', () => {
    expect(files(limitsV1(resources))).toEqual([
      `memory.limit_in_bytes=${64 << 20}`,
      `memory.memsw.limit_in_bytes=${96 << 20}`,
      `memory.soft_limit_in_bytes=${32 << 20}`,
      'cpu.shares=1024',
      'cpu.cfs_period_us=100000',
      'cpu.cfs_quota_us=50000',
      'cpuset.cpus=0-1',
      'pids.max=100',
    ])
  })

  it('are converted for v2: swap alone, shares to a weight, quota and period in one', () => {
    expect(files(limitsV2(resources))).toEqual([
      `memory.max=${64 << 20}`,
      `memory.swap.max=${32 << 20}`,
      `memory.low=${32 << 20}`,
      'cpu.weight=39',
      'cpu.max=50000 100000',
      'cpuset.cpus=0-1',
      'pids.max=100',
    ])
  })

  it('of nothing write nothing, and "no limit" is said in the words of each version', () => {
    expect([limitsV1({}), limitsV2({})]).toEqual([[], []])
    expect(files(limitsV1({ memory: { limit: -1 }, pids: { limit: -1 } }))).toEqual([
      'memory.limit_in_bytes=-1',
      'pids.max=max',
    ])
    expect(files(limitsV2({ memory: { limit: -1 }, cpu: { period: 50_000 } }))).toEqual([
      'memory.max=max',
      'cpu.max=max 50000',
    ])
  })

  it('for devices are lines of the kernel’s form', () => {
    expect(deviceLine({ allow: false, access: 'rwm' })).toBe('a *:* rwm')
    expect(deviceLine({ allow: true, type: 'c', major: 136, access: 'rw' })).toBe('c 136:* rw')
    expect(deviceLine({ allow: true })).toBe('a')
  })
})

describe('mount options', () => {
  it('become flags, attributes and the file system’s own data', () => {
    expect(parseMountOptions(['nosuid', 'ro', 'mode=755', 'size=64k'])).toMatchObject({
      flags: c.MS_NOSUID | c.MS_RDONLY,
      attrSet: c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_RDONLY,
      data: 'mode=755,size=64k',
      bind: false,
    })
  })

  it('that contradict each other: the last one counts', () => {
    expect(parseMountOptions(['ro', 'rw'])).toMatchObject({
      flags: 0,
      attrSet: 0,
      attrClear: c.MOUNT_ATTR_RDONLY,
    })
  })

  it('tell binds, deep ones, and propagation', () => {
    expect(parseMountOptions(['rbind', 'rro', 'rslave'])).toMatchObject({
      bind: true,
      recursive: true,
      recursiveAttrSet: c.MOUNT_ATTR_RDONLY,
      propagation: [c.MS_SLAVE | c.MS_REC],
    })
  })
})
