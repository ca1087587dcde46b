import { describe, expect, test } from 'vitest'
import {
  type HostFacts,
  isOlder,
  parseFacts,
  requireFit,
  unfitReason,
} from '../../../../src/machine/bootstrap/probe.ts'

const fit: HostFacts = {
  arch: 'x64',
  machine: 'x86_64',
  kernel: '6.1.0-37-amd64',
  libc: 'glibc 2.36',
  cgroup: 'v2',
  init: 'systemd',
  isRoot: true,
  canSudo: false,
  freeBytes: { programs: 1e9, data: 1e9 },
  hasOtherEngine: false,
  hasAtomicLibrary: true,
  commands: ['ip', 'nft', 'sha256sum', 'gzip'],
}

test('parseFacts reads what the script prints', () => {
  const text = `machine aarch64
kernel 6.1.0
libc glibc 2.36
cgroup v2
init none
uid 1000
sudo yes
atomic yes
programs 1000
data 2000
command ip
command nft
`
  expect(parseFacts(text)).toEqual({
    arch: 'arm64',
    machine: 'aarch64',
    kernel: '6.1.0',
    libc: 'glibc 2.36',
    cgroup: 'v2',
    init: 'none',
    isRoot: false,
    canSudo: true,
    freeBytes: { programs: 1000 * 1024, data: 2000 * 1024 },
    hasOtherEngine: false,
    hasAtomicLibrary: true,
    commands: ['ip', 'nft'],
  })
})

describe('unfitReason', () => {
  const cases: [string, Partial<HostFacts>, RegExp | undefined][] = [
    ['a fit host', {}, undefined],
    ['another architecture', { arch: undefined, machine: 'riscv64' }, /riscv64/],
    ['an old kernel', { kernel: '4.19.0-27-amd64' }, /4\.19.*5\.10/],
    ['musl', { libc: 'musl' }, /musl/],
    ['an old glibc', { libc: 'glibc 2.27' }, /2\.27.*2\.28/],
    ['an unknown C library', { libc: '' }, undefined],
    ['no cgroups', { cgroup: 'none' }, /cgroup/],
    ['no nft', { commands: ['ip', 'sha256sum', 'gzip'] }, /lacks nft .*install.* nftables/],
    ['another engine', { hasOtherEngine: true }, /Docker, listens on \/var\/run\/docker.sock/],
    ['no gzip', { commands: ['ip', 'nft', 'sha256sum'] }, /gzip/],
  ]
  for (const [title, facts, expected] of cases) {
    test(title, () => {
      const reason = unfitReason({ ...fit, ...facts })
      if (expected) expect(reason).toMatch(expected)
      else expect(reason).toBeUndefined()
    })
  }
})

describe('requireFit', () => {
  test('wants root or sudo', () => {
    expect(() => requireFit({ ...fit, isRoot: false }, 'h', 'admin', 0)).toThrow(
      expect.objectContaining({ code: 'E_NO_SUDO', exit: 3 }),
    )
    expect(() => requireFit({ ...fit, isRoot: false, canSudo: true }, 'h', 'admin', 0)).not.toThrow()
  })

  test('says where there is not enough room, with both sizes', () => {
    expect(() => requireFit({ ...fit, freeBytes: { programs: 1e6, data: 1e9 } }, 'h', 'root', 15e7)).toThrow(
      'not enough room on h: /opt/tsmachine has 1MB free, 150MB are needed',
    )
  })
})

describe('isOlder', () => {
  const cases: [string, string, boolean][] = [
    ['5.10.0', '5.10', false],
    ['5.9.16', '5.10', true],
    ['6.1.0-37-amd64', '5.10', false],
    ['2.4', '2.28', true],
    ['', '5.10', true],
  ]
  for (const [a, b, expected] of cases) test(`${a} < ${b}`, () => expect(isOlder(a, b)).toBe(expected))
})
