import { describe, expect, it } from 'vitest'
import { archs } from '../../../../src/engine/kernel/arch.ts'
import type { Hierarchy } from '../../../../src/engine/runtime/cgroups/hierarchy.ts'
import { planContainer } from '../../../../src/engine/runtime/plan/container.ts'
import { planExec } from '../../../../src/engine/runtime/plan/exec.ts'
import type { Spec } from '../../../../src/engine/runtime/spec.ts'
import { makeSpec } from '../../../support/bundle.ts'

const [x64, arm64] = [archs.x64!, archs.arm64!]
const v1: Hierarchy = {
  version: 1,
  trees: [
    { controllers: ['cpu', 'cpuacct'], mountPoint: '/sys/fs/cgroup/cpu' },
    { controllers: ['memory'], mountPoint: '/sys/fs/cgroup/memory' },
    { controllers: ['devices'], mountPoint: '/sys/fs/cgroup/devices' },
  ],
}
const v2: Hierarchy = { version: 2, trees: [{ controllers: [''], mountPoint: '/sys/fs/cgroup' }] }
const features = (cgroups: Hierarchy) => ({
  cgroups,
  mountSetattr: true,
  bounding: (1n << 41n) - 1n,
  lastCapability: 40,
})
const seccomp = { program: Buffer.alloc(16), flags: 0 }

function plan(
  change?: (spec: Spec) => void,
  options: Partial<Parameters<typeof planContainer>[0]> = {},
): string[] {
  const spec = makeSpec('/root-fs', ['sh'], change)
  const cgroup = { path: '/parent/one', resources: spec.linux!.resources! }
  return planContainer({
    id: 'one',
    spec,
    features: features(v1),
    cgroup,
    seccomp,
    arch: x64,
    ...options,
  }).describe()
}
const place = (steps: string[], step: string | RegExp) => {
  const at = steps.findIndex((s) => (typeof step === 'string' ? s === step : step.test(s)))
  if (at < 0) throw new Error(`no step ${step} in:\n${steps.join('\n')}`)
  return at
}

describe('the plan of a container', () => {
  it.each([
    ['x64', x64],
    ['arm64', arm64],
  ])('has one order of steps on %s', (_, arch) => {
    const steps = plan(undefined, { arch })
    const order = [
      'name the keeper',
      'create the process',
      'start a session',
      'make a cgroup namespace',
      'set the propagation of /',
      'change the root',
      'let go of the old root',
      'load the seccomp filter',
      'set the capabilities',
      'exec the program',
      'report the pid',
      'wait for the container',
      'record the exit',
      'wait for the release',
      'leave',
    ].map((step) => place(steps, step))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  })

  it('joins every v1 tree before it makes the cgroup namespace, and is born into the cgroup on v2', () => {
    const ofV1 = plan()
    const joins = ofV1.flatMap((step, i) => (/^join|cgroup\.procs/.test(step) ? [i] : []))
    expect(joins.length).toBeGreaterThanOrEqual(v1.trees.length)
    expect(Math.max(...joins)).toBeLessThan(place(ofV1, 'make a cgroup namespace'))
    const ofV2 = plan(undefined, { features: features(v2) })
    expect(
      ofV2.slice(place(ofV2, 'create the process')).filter((step) => /cgroup\.procs/.test(step)),
    ).toEqual([])
  })

  it('gives up its right to new privileges before the filter, if at all', () => {
    const steps = plan((spec) => {
      spec.process!.noNewPrivileges = true
    })
    expect(place(steps, 'load the seccomp filter')).toBe(place(steps, 'forbid new privileges') + 1)
    expect(plan()).not.toContain('forbid new privileges')
  })

  it('looks for the program in each folder of the container’s own PATH, in order', () => {
    const execs = (args: string[], path?: string) =>
      plan((spec) => {
        spec.process!.args = args
        spec.process!.env = path === undefined ? [] : [`PATH=${path}`]
      }).filter((step) => step === 'exec the program').length
    expect(execs(['sh'], '/a:/b:/c')).toBe(3)
    expect(execs(['sh'])).toBe(6)
    expect(execs(['/bin/sh'], '/a:/b')).toBe(1)
  })

  it('shares what the specification does not name', () => {
    const steps = plan((spec) => {
      spec.hostname = undefined
      spec.linux!.namespaces = [{ type: 'mount' }, { type: 'network', path: '/proc/self/fd/10' }]
    })
    expect(steps).not.toContain('make a cgroup namespace')
    expect(steps.some((step) => /network/.test(step))).toBe(true)
  })

  it('leaves no keeper for the OCI command, which waits at its FIFO', () => {
    const steps = plan(undefined, { fifo: '/run/exec.fifo' })
    expect(steps).not.toContain('wait for the container')
    expect(place(steps, 'wait for the start signal')).toBeLessThan(steps.lastIndexOf('exec the program'))
  })

  it.each<[string, (spec: Spec) => void, RegExp]>([
    ['no program', (s) => (s.process!.args = []), /process\.args/],
    ['a relative working folder', (s) => (s.process!.cwd = 'tmp'), /process\.cwd/],
    ['an unknown limit', (s) => (s.process!.rlimits = [{ type: 'RLIMIT_X', soft: 1, hard: 1 }]), /RLIMIT_X/],
    ['a namespace twice', (s) => s.linux!.namespaces!.push({ type: 'mount' }), /mount is there twice/],
    [
      'a user namespace',
      (s) => s.linux!.namespaces!.push({ type: 'user' }),
      /user namespaces are not supported/,
    ],
    ['no mount namespace', (s) => (s.linux!.namespaces = [{ type: 'pid' }]), /mount namespace is needed/],
    [
      'a sysctl of the host',
      (s) => (s.linux!.sysctl = { 'kernel.panic': '1' }),
      /kernel\.panic is not in a namespace/,
    ],
    [
      'a sysctl that leaves its folder',
      (s) => (s.linux!.sysctl = { 'net/../../x': '1' }),
      /is not in a namespace/,
    ],
  ])('refuses %s before anything is made', (_, change, message) => {
    expect(() => plan(change)).toThrow(message)
  })
})

describe('the plan of an exec session', () => {
  it('enters the container, and its keeper ends without being released', () => {
    const { process } = makeSpec('/', ['true'])
    const steps = planExec({
      id: 'x',
      process: process!,
      features: features(v1),
      namespaceFlags: 0x6c020000,
      arch: x64,
      seccomp,
    }).describe()
    expect(place(steps, "enter the container's PID namespace")).toBeLessThan(
      place(steps, 'create the process'),
    )
    expect(place(steps, "enter the container's namespaces")).toBeLessThan(
      place(steps, 'load the seccomp filter'),
    )
    expect(steps).not.toContain('wait for the release')
  })
})
