import { describe, expect, it } from 'vitest'
import { fillHostConfig, mergeConfig } from '../../../../src/engine/containers/create.ts'
import { healthSettings } from '../../../../src/engine/containers/health.ts'
import { mountRequests, toOciMount } from '../../../../src/engine/containers/mounts.ts'
import {
  toCapabilities,
  toResources,
  toRlimits,
  validateResources,
} from '../../../../src/engine/containers/resources.ts'
import { signalNumber } from '../../../../src/engine/containers/signals.ts'
import { environment, seccompOf, securityOptions } from '../../../../src/engine/containers/spec.ts'
import type { ContainerConfig, HostConfig } from '../../../../src/engine/containers/types.ts'
import { defaultCapabilities } from '../../../../src/engine/runtime/defaults.ts'

const host = (change: Partial<HostConfig> & Record<string, unknown> = {}) => fillHostConfig(change)

const twoCpus = { count: 2, cpus: '0-1', mems: '0' }

describe('a HostConfig', () => {
  it('is filled with Docker’s defaults', () => {
    expect(host()).toMatchObject({
      NetworkMode: 'default',
      RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
      LogConfig: { Type: 'json-file' },
      ShmSize: 64 << 20,
      Privileged: false,
    })
  })

  it.each<[Record<string, unknown>, RegExp]>([
    [{ Links: ['a:b'] }, /Links/],
    [{ DeviceRequests: [{ Count: -1 }] }, /GPUs/],
    [{ Runtime: 'kata' }, /Runtime/],
    [{ Init: true }, /--init/],
    [{ LogConfig: { Type: 'syslog', Config: {} } }, /log driver syslog/],
    [{ PidMode: 'other' }, /PidMode/],
  ])('that asks for %j, which this engine does not do, is refused by name', (change, message) => {
    expect(() => host(change)).toThrow(message)
  })

  it.each<[Partial<HostConfig>, RegExp]>([
    [{ Memory: 5 << 20 }, /6MB/],
    [{ MemorySwap: 1 << 30 }, /needs a memory limit/],
    [{ Memory: 64 << 20, MemorySwap: 32 << 20 }, /larger than memory/],
    [{ Memory: 64 << 20, MemoryReservation: 65 << 20 }, /reservation/],
    [{ MemorySwappiness: 101 }, /0 to 100/],
    [{ NanoCpus: 1e9, CpuPeriod: 100_000 }, /conflicts/],
    [{ CpuQuota: 999 }, /1ms/],
    [{ CpusetCpus: '0-' }, /cpuset-cpus/],
    [{ NanoCpus: 1e6 }, /^Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available$/],
    [{ NanoCpus: -1 }, /^Range of CPUs/],
    [{ NanoCpus: 2.01e9 }, /^Range of CPUs/],
    [{ CpusetCpus: '99' }, /^Requested CPUs are not available - requested 99, available: 0-1$/],
    [{ CpusetCpus: '0-4000000000' }, /^Requested CPUs/],
    [{ CpusetMems: '0,1' }, /^Requested memory nodes are not available - requested 0,1, available: 0$/],
  ])('with the limits %j is refused', (change, message) => {
    expect(() => validateResources(host(change), twoCpus)).toThrow(message)
  })

  it('of good limits becomes the specification’s', () => {
    const good = host({ Memory: 6 << 20, NanoCpus: 250_000_000, PidsLimit: 10, CpusetCpus: '0-2,4' })
    validateResources(good, { count: 8, cpus: '0-3,4-7', mems: '0' })
    expect(toResources(good)).toMatchObject({
      memory: { limit: 6 << 20, swap: 12 << 20 },
      cpu: { quota: 25_000, period: 100_000, cpus: '0-2,4' },
      pids: { limit: 10 },
    })
    expect(toResources(host({ MemorySwap: -1, Memory: 6 << 20 })).memory).toMatchObject({ swap: -1 })
    expect(toResources(host({ PidsLimit: -1 })).pids).toBeUndefined()
  })
})

describe('capabilities', () => {
  it('are the default ones, with more, with less, all, or none', () => {
    expect(toCapabilities(host())).toEqual([...defaultCapabilities])
    expect(toCapabilities(host({ CapAdd: ['net_admin'] }))).toContain('CAP_NET_ADMIN')
    expect(toCapabilities(host({ CapDrop: ['CAP_CHOWN'] }))).not.toContain('CAP_CHOWN')
    expect(toCapabilities(host({ CapDrop: ['ALL'], CapAdd: ['CHOWN'] }))).toEqual(['CAP_CHOWN'])
    const allButOne = toCapabilities(host({ CapAdd: ['ALL'], CapDrop: ['SYS_ADMIN'] }))
    expect([allButOne.includes('CAP_SYS_ADMIN'), allButOne.includes('CAP_SYS_TIME')]).toEqual([false, true])
    expect(() => toCapabilities(host({ CapAdd: ['FLY'] }))).toThrow('unknown: FLY')
  })
})

describe('limits of a process', () => {
  it('are a login’s for open files, unless others are asked for', () => {
    expect(toRlimits(host(), 4096)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 4096 }])
    expect(toRlimits(host(), 512)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 512, hard: 512 }])
    const asked = [{ Name: 'nofile', Soft: 5, Hard: 6 }]
    expect(toRlimits(host({ Ulimits: asked }), 512)).toEqual([{ type: 'RLIMIT_NOFILE', soft: 5, hard: 6 }])
    expect(() => toRlimits(host({ Ulimits: [{ Name: 'nofile', Soft: 7, Hard: 6 }] }), 512)).toThrow(
      /soft 7 is over/,
    )
  })
})

describe('security options', () => {
  it('are read in both of Docker’s spellings', () => {
    expect(securityOptions(host({ SecurityOpt: ['no-new-privileges'] })).noNewPrivileges).toBe(true)
    expect(securityOptions(host({ SecurityOpt: ['no-new-privileges:false'] })).noNewPrivileges).toBe(false)
    expect(securityOptions(host({ SecurityOpt: ['seccomp:unconfined'] })).seccomp).toBe('unconfined')
    expect(securityOptions(host({ SecurityOpt: ['systempaths=unconfined'] })).pathsUnconfined).toBe(true)
    expect(() => securityOptions(host({ SecurityOpt: ['seccomp={}'] }))).toThrow(/no defaultAction/)
    expect(() => securityOptions(host({ SecurityOpt: ['magic=1'] }))).toThrow(/security-opt/)
    expect(() => securityOptions(host({ SecurityOpt: ['apparmor=mine'] }))).toThrow(/not supported/)
  })

  it('leave the default filter on, but for privileged containers and where it is switched off', () => {
    expect(seccompOf(host(), [])?.defaultAction).toBe('SCMP_ACT_ERRNO')
    expect(seccompOf(host({ Privileged: true }), [])).toBeUndefined()
    expect(seccompOf(host({ SecurityOpt: ['seccomp=unconfined'] }), [])).toBeUndefined()
  })
})

describe('a Config over an image’s', () => {
  const image = {
    Cmd: ['serve'],
    Entrypoint: ['/run'],
    Env: ['A=image', 'B=image'],
    WorkingDir: '/srv',
    Labels: { l: '1' },
  }
  const merge = (request: object) => mergeConfig({ Image: 'x', ...request }, image, 'f'.repeat(64))

  it('keeps what the image says and the request does not', () => {
    expect(merge({ Env: ['A=own'], Labels: { m: '2' } })).toMatchObject({
      Cmd: ['serve'],
      Entrypoint: ['/run'],
      Env: ['A=own', 'B=image'],
      WorkingDir: '/srv',
      Labels: { l: '1', m: '2' },
      Hostname: 'ffffffffffff',
    })
  })

  it('drops the image’s command with its entrypoint', () => {
    expect(merge({ Entrypoint: ['/bin/sh'] })).toMatchObject({ Entrypoint: ['/bin/sh'], Cmd: null })
    expect(merge({ Cmd: ['other'] })).toMatchObject({ Entrypoint: ['/run'], Cmd: ['other'] })
  })

  it('gives the program PATH, HOSTNAME and HOME, which its own variables replace', () => {
    const config = merge({ Env: ['HOME=/own', 'PATH', 'X=a=b'] }) as ContainerConfig
    expect(environment(config, '/root')).toEqual([
      'HOSTNAME=ffffffffffff',
      'HOME=/own',
      'X=a=b',
      'A=image',
      'B=image',
    ])
    expect(environment({ ...config, Env: [], Tty: true }, '/root')).toEqual([
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      'HOSTNAME=ffffffffffff',
      'TERM=xterm',
      'HOME=/root',
    ])
  })
})

describe('mounts', () => {
  const points = (change: Partial<HostConfig>, volumes: string[] = []) =>
    mountRequests(host(change), volumes).map(({ point }) => point)

  it('of -v are binds, named volumes or anonymous ones', () => {
    expect(points({ Binds: ['/a/../b:/x:ro', 'name:/y', '/z'] })).toMatchObject([
      { Type: 'bind', Source: '/b', Destination: '/x', RW: false },
      { Type: 'volume', Name: 'name', Destination: '/y', RW: true },
      { Type: 'volume', Name: undefined, Destination: '/z' },
    ])
  })

  it('of the image give way to those that are asked for', () => {
    expect(points({ Binds: ['/a:/data'] }, ['/data/', '/other'])).toMatchObject([
      { Type: 'bind', Destination: '/data' },
      { Type: 'volume', Destination: '/other' },
    ])
  })

  it.each<[Partial<HostConfig>, RegExp]>([
    [{ Binds: ['/a:/x', '/b:/x/'] }, /Duplicate mount point: \/x/],
    [{ Binds: ['/a:x'] }, /must be absolute/],
    [{ Binds: ['/a:/'] }, /can't be/],
    [{ Binds: ['/a:/x:magic'] }, /magic/],
    [{ Binds: ['/a::/x'] }, /volume specification/],
    [{ Mounts: [{ Type: 'bind', Source: 'rel', Target: '/x' }] }, /no absolute path/],
    [
      { Mounts: [{ Type: 'volume', Target: '/x', VolumeOptions: { Subpath: 'in' } }] },
      /subpath in .* not supp/,
    ],
    [{ Tmpfs: { '/x': 'lowerdir=/etc' } }, /tmpfs option/],
  ])('of %j are refused', (change, message) => {
    expect(() => points(change)).toThrow(message)
  })

  it('that are read-only are so in all that lies below, where the kernel can do that', () => {
    const [point] = points({ Binds: ['/a:/x:ro'] })
    expect(toOciMount(point!, true, true).options).toEqual(['rbind', 'rprivate', 'rro'])
    expect(toOciMount(point!, true, false).options).toEqual(['rbind', 'rprivate', 'ro'])
  })
})

describe('a health check', () => {
  it('has Docker’s defaults, in milliseconds', () => {
    expect(healthSettings({ Test: ['CMD', 'true'], Interval: 2e9 })).toEqual({
      command: ['true'],
      intervalMs: 2000,
      timeoutMs: 30_000,
      retries: 3,
      startPeriodMs: 0,
      startIntervalMs: 5000,
    })
    expect(healthSettings({ Test: ['CMD-SHELL', 'a | b'] })?.command).toEqual(['/bin/sh', '-c', 'a | b'])
    for (const Test of [[], ['NONE'], ['CMD']]) expect(healthSettings({ Test })).toBeUndefined()
  })
})

describe('a signal', () => {
  it.each([
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    ['RTMIN+3', 37],
  ])('%s is %i', (name, number) => expect(signalNumber(name)).toBe(number))

  it.each(['', 'NONE', '0', '65', 'RTMIN+31', '-1'])('%j is none', (name) => {
    expect(() => signalNumber(name)).toThrow('invalid signal')
  })
})
