import { describe, expect, test } from 'vitest'
import { capabilitiesOf, hostConfig } from '../../../../../src/machine/drivers/local/config.ts'
import {
  copiedFromMachine,
  hostFiles,
  usableResolvConf,
} from '../../../../../src/machine/drivers/local/etc.ts'
import { identify, isAlive, parseStat } from '../../../../../src/machine/drivers/local/process.ts'

describe('the host configuration', () => {
  const config = hostConfig({
    name: 'm1',
    rootfs: '/s/rootfs',
    binds: ['/usr'],
    netns: '/run/netns/x',
    cgroup: '/tsmachine-1/2',
    capabilities: ['CAP_SYS_ADMIN'],
    openFiles: 1024,
    devices: [],
  })

  test('has all six namespaces, the network one being ours', () => {
    expect(config.linux.namespaces.map(({ type }) => type).sort()).toEqual(
      ['cgroup', 'ipc', 'mount', 'network', 'pid', 'uts'].sort(),
    )
    expect(config.linux.namespaces.find(({ type }) => type === 'network')?.path).toBe('/run/netns/x')
  })

  test("binds this machine's programs read-only, and leaves /proc, /sys and cgroups writable", () => {
    expect(config.mounts.find(({ destination }) => destination === '/usr')?.options).toEqual(['rbind', 'ro'])
    for (const path of ['/proc', '/sys', '/sys/fs/cgroup']) {
      expect(config.mounts.find(({ destination }) => destination === path)?.options).not.toContain('ro')
    }
    expect(config.linux.maskedPaths).toEqual([])
    expect('seccomp' in config.linux).toBe(false)
  })
})

describe('capabilitiesOf', () => {
  test('names those that are in the mask, and only those', () => {
    const all = capabilitiesOf('000001ffffffffff')
    expect(all).toHaveLength(41)
    const here = capabilitiesOf('000001fffeffffff')
    expect(all.filter((name) => !here.includes(name))).toEqual(['CAP_SYS_RESOURCE'])
    expect(capabilitiesOf('0000000000000000')).toEqual([])
  })
})

describe('the files of a host', () => {
  const files = hostFiles({
    name: 'm1',
    id: '0123456789ab',
    address: '192.168.200.2',
    resolvConf: 'nameserver 192.0.2.1\n',
    userPublicKey: 'ssh-ed25519 AAAA user',
    hostKey: { private: 'PRIVATE', public: 'ssh-ed25519 BBBB host' },
  })
  const text = (path: string) => files.find((file) => file.path === path)!

  test('let in the key of the client alone', () => {
    expect(text('/root/.ssh/authorized_keys').text).toBe('ssh-ed25519 AAAA user\n')
    expect(text('/etc/ssh/sshd_config').text).toContain('PasswordAuthentication no')
    expect(text('/etc/shadow').text).toMatch(/^root:\*:/)
  })

  test('keep secrets to root', () => {
    for (const path of ['/etc/shadow', '/etc/ssh/ssh_host_ed25519_key']) expect(text(path).mode).toBe(0o600)
  })

  test("take nothing secret from this machine's /etc", () => {
    for (const name of copiedFromMachine)
      expect(name).not.toMatch(/shadow|passwd|ssh|private|sudoers|machine-id/)
  })
})

describe('usableResolvConf', () => {
  test('leaves out servers on the loopback', () => {
    const text = 'search example.org\nnameserver 127.0.0.53\nnameserver 192.0.2.53\n'
    expect(usableResolvConf([text])).toBe('search example.org\nnameserver 192.0.2.53\n')
  })

  test('takes the next file where the first has none', () => {
    expect(usableResolvConf(['nameserver 127.0.0.53\n', 'nameserver 192.0.2.53\n'])).toBe(
      'nameserver 192.0.2.53\n',
    )
  })
})

describe('the identity of a process', () => {
  test('reads past a name with blanks and parentheses', () => {
    const fields = Array.from({ length: 30 }, (_, i) => `f${i + 4}`).join(' ')
    expect(parseStat(`12 (a ) b (c) S ${fields}`)).toEqual({ state: 'S', startTime: 'f22' })
  })

  test('is not mistaken for another with its pid, nor for one before a reboot', async () => {
    const me = await identify(process.pid)
    expect(await isAlive(me)).toBe(true)
    expect(await isAlive({ ...me, startTime: '1' })).toBe(false)
    expect(await isAlive({ ...me, bootId: 'another' })).toBe(false)
    expect(await isAlive(undefined)).toBe(false)
  })
})
