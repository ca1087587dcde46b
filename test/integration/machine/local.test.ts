import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localNames } from '../../../src/machine/drivers/local/names.ts'
import type { ProcessIdentity } from '../../../src/machine/drivers/local/process.ts'
import { storageId } from '../../../src/machine/paths.ts'
import { cgroupsOf, localSkipReason, TestStorage } from '../../support/machine-storage.ts'

const reason = await localSkipReason()

describe.skipIf(reason)('a local machine', () => {
  const storage = new TestStorage()
  const ssh = (...command: string[]) => storage.run(['ssh', 'm1', ...command])
  const hostFile = (path: string) => join(storage.path, 'machines/m1/driver/rootfs', path)
  const init = () =>
    JSON.parse(readFileSync(join(storage.path, 'machines/m1/driver/init.json'), 'utf8')) as ProcessIdentity

  beforeAll(async () => {
    const output = await storage.ok(['create', '--driver', 'local', '--swarm', 'manager', 'm1'])
    expect(output).toContain('Machine m1 is ready.')
  })
  afterAll(async () => {
    await storage.release()
    expect(storage.leftovers()).toEqual([])
  })

  test('is listed as running, with its engine', async () => {
    const [row] = JSON.parse(await storage.ok(['ls', '--json'])) as object[]
    expect(row).toMatchObject({
      name: 'm1',
      driver: 'local',
      state: 'Running',
      swarm: 'manager',
      engine: '0.0.1-stand-in',
      error: '',
    })
    expect(await storage.ok(['ls'])).toMatch(/^NAME +ACTIVE +DRIVER +STATE +URL +SWARM +DOCKER +ERRORS\n/)
    expect(await storage.ok(['ls', '-q'])).toBe('m1\n')
    expect(await storage.ok(['ls', '-q', '--filter', 'state=stopped'])).toBe('')
    expect(await storage.ok(['ls', '-f', '{{.Name}}={{.State}}', '--filter', 'swarm=m1'])).toBe(
      'm1=Running\n',
    )
    expect(await storage.ok(['ls', '-f', 'table {{.Name}}\\t{{.DriverName}}'])).toBe(
      'NAME   DRIVER\nm1     local\n',
    )
    expect(await storage.ok(['status', 'm1'])).toBe('Running\n')
    expect(await storage.ok(['version', 'm1'])).toBe('0.0.1-stand-in\n')
    const ip = (await storage.ok(['ip', 'm1'])).trim()
    expect(await storage.ok(['url', 'm1'])).toBe(`tcp://${ip}:2376\n`)
    expect(await storage.ok(['env', '--shell', 'bash', 'm1'])).toContain(
      `export DOCKER_HOST="tcp://${ip}:2376"`,
    )
    expect(await storage.ok(['inspect', '-f', '{{.Driver.IPAddress}}', 'm1'])).toBe(`${ip}\n`)
  })

  test('has six namespaces of its own', () => {
    const { pid } = init()
    for (const kind of ['mnt', 'pid', 'uts', 'ipc', 'net', 'cgroup']) {
      expect(readlinkSync(`/proc/${pid}/ns/${kind}`), kind).not.toBe(readlinkSync(`/proc/self/ns/${kind}`))
    }
  })

  test("has this machine's programs read-only, and none of its secrets", async () => {
    expect((await ssh('touch', '/usr/x')).stderr).toContain('Read-only file system')
    expect((await ssh('cat', '/etc/shadow')).stdout).toBe(readFileSync(hostFile('/etc/shadow'), 'utf8'))
    expect((await ssh('cat', '/etc/shadow')).stdout).not.toBe(readFileSync('/etc/shadow', 'utf8'))
    const listed = (await ssh('ls', '-A', '/root', '/home', '/etc/ssh')).stdout
    expect(listed).not.toContain('id_')
    expect(listed.match(/ssh_host_\w+_key/g)).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key'])
    expect((await ssh('cat', '/proc/1/comm')).stdout).toBe('busybox\n')
    expect((await ssh('hostname')).stdout).toBe('m1\n')
  })

  test('can have namespaces and cgroups inside, as an engine needs them', async () => {
    const script = `set -e
unshare -m -p -f -n -u -i true
for root in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -e $root/cgroup.procs ] || continue
  mkdir $root/nested && rmdir $root/nested && echo made
done`
    const result = await ssh('sh', '-c', script)
    expect(result.stderr).toBe('')
    expect(result.stdout).toContain('made')
  })

  test('runs commands with their own output, input and exit code', async () => {
    expect(await ssh('sh', '-c', 'echo out; echo err >&2; exit 7')).toMatchObject({
      code: 7,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect((await storage.run(['ssh', 'm1', 'cat', '-'], { stdin: 'through\n' })).stdout).toBe('through\n')
    expect((await ssh('printf', '%s|', "it's", '$HOME', '--help', 'a  b')).stdout).toBe(
      "it's|$HOME|--help|a  b|",
    )
    expect((await ssh('echo $HOME && exit 3')).code).toBe(3)
    expect((await ssh('sh', '-c', 'kill -9 $$')).code).toBe(137)
  })

  test('takes files, and gives them back, by scp', async () => {
    const here = join(storage.folder, 'a b')
    writeFileSync(here, 'through\n')
    expect(await storage.run(['scp', '-q', here, 'm1:/root/x y'])).toMatchObject({ code: 0, stderr: '' })
    expect((await ssh('cat', '/root/x y')).stdout).toBe('through\n')
    expect((await storage.run(['scp', '-q', 'm1:x y', `${here}.back`])).code).toBe(0)
    expect(readFileSync(`${here}.back`, 'utf8')).toBe('through\n')
    const missing = await storage.run(['scp', '-q', 'm1:/nowhere', here])
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining('/nowhere')])
    expect((await storage.run(['scp', here, `${here}.2`])).code).toBe(2)
  })

  test('is active when DOCKER_HOST points at it', async () => {
    const url = (await storage.ok(['url', 'm1'])).trim()
    expect(await storage.ok(['active'], { env: { DOCKER_HOST: url } })).toBe('m1\n')
    const none = await storage.run(['active'], { env: { DOCKER_HOST: 'tcp://192.0.2.1:2376' } })
    expect([none.code, none.stderr.split('\n')[0]]).toEqual([
      1,
      'tsmachine: no machine is at tcp://192.0.2.1:2376',
    ])
  })

  test('is not reached without the client certificate, which is named', async () => {
    const path = join(storage.path, 'certs/cert.pem')
    renameSync(path, `${path}.away`)
    try {
      const result = await storage.run(['env', 'm1'])
      expect(result.code).toBe(1)
      expect(result.stderr.split('\n')[0]).toBe(`tsmachine: the certificate file ${path} is missing`)
      const [row] = JSON.parse(await storage.ok(['ls', '--json'])) as { error: string }[]
      expect(row?.error).toContain('is missing')
    } finally {
      renameSync(`${path}.away`, path)
    }
  })

  test('keeps keys out of arguments and readable by root alone', async () => {
    expect((await ssh('stat', '-c', '%a %U', '/etc/tshost/server-key.pem')).stdout).toBe('600 root\n')
    const commands = (await ssh('sh', '-c', 'cat /proc/*/cmdline | tr "\\0" " "')).stdout
    expect(commands).not.toContain('PRIVATE KEY')
  })

  describe('provision', () => {
    const outcomes = async () => {
      const output = await storage.ok(['provision', 'm1'])
      return output.match(/: (ok|changed|failed),/g)?.map((text) => text.slice(2, -1)) ?? []
    }

    test('changes nothing that is right', async () => {
      const before = (await ssh('cat', '/run/tshost.pid')).stdout
      expect(new Set(await outcomes())).toEqual(new Set(['ok']))
      expect((await ssh('cat', '/run/tshost.pid')).stdout).toBe(before)
    })

    test('brings a new certificate, made by regenerate-certs', async () => {
      const days = async () => {
        const rows = JSON.parse(await storage.ok(['certs', '--json'])) as { of: string; days: number }[]
        expect(rows.map(({ of }) => of)).toEqual(['CA', 'client', 'm1'])
        for (const row of rows) expect(row.days, row.of).toBeGreaterThan(1000)
        return readFileSync(join(storage.path, 'machines/m1/server.pem'), 'utf8')
      }
      const before = await days()
      expect(await storage.ok(['regenerate-certs', '-f', 'm1'])).toContain('The certificate of m1 is new.')
      const after = await days()
      expect(after).not.toBe(before)
      expect((await ssh('cat', '/etc/tshost/server.pem')).stdout).toBe(after)
      expect(await storage.ok(['version', 'm1'])).toBe('0.0.1-stand-in\n')
    })

    test('replaces a damaged part of the bundle, and nothing else', async () => {
      const damage = 'cd /opt/tsmachine/bundles/*/ && chmod u+w koffi.node && echo x >> koffi.node'
      expect((await ssh('sh', '-c', damage)).code).toBe(0)
      const output = await storage.ok(['provision', 'm1'])
      expect(output).toMatch(/Bring the engine.*changed/)
      expect(output.match(/changed/g)).toHaveLength(1)
    })

    test('stops at a host key that has changed', async () => {
      const swap = `cd /etc/ssh && cp -p ssh_host_ed25519_key{,.old} && cp -p ssh_host_ed25519_key.pub{,.old} &&
rm ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N "" -f ssh_host_ed25519_key && kill -HUP $(cat /run/sshd.pid)`
      expect((await ssh('bash', '-c', swap)).code).toBe(0)
      const result = await storage.run(['provision', 'm1'])
      expect(result.code).toBe(1)
      expect(result.stderr).toMatch(
        /^tsmachine: the host key of \S+ has changed: expected SHA256:\S+, got SHA256:\S+\n/,
      )
      const key = readFileSync(hostFile('/etc/ssh/ssh_host_ed25519_key.old'))
      writeFileSync(hostFile('/etc/ssh/ssh_host_ed25519_key'), key)
      const { pid } = init()
      execFileSync('nsenter', ['-t', String(pid), '-p', '-m', 'sh', '-c', 'kill -HUP $(cat /run/sshd.pid)'])
      await expect
        .poll(async () => (await storage.run(['provision', 'm1'])).code, { timeout: 10_000 })
        .toBe(0)
    })
  })

  test('stops in an orderly way, and starts with its files and its address', async () => {
    const ip = await storage.ok(['ip', 'm1'])
    await ssh('sh', '-c', 'echo kept > /var/lib/kept')
    await storage.ok(['stop', 'm1'])
    expect(await storage.ok(['status', 'm1'])).toBe('Stopped\n')
    expect((await storage.run(['stop', 'm1'])).stderr).toContain('is Stopped already')
    for (const command of ['ip', 'url', 'env', 'config', 'ssh', 'provision']) {
      const result = await storage.run([command, 'm1'])
      expect(result.code, command).toBe(1)
      expect(result.stderr, command).toContain('is Stopped, not Running')
    }
    await storage.ok(['start', 'm1'])
    expect(await storage.ok(['ip', 'm1'])).toBe(ip)
    expect((await ssh('cat', '/var/lib/kept')).stdout).toBe('kept\n')
    expect(await storage.ok(['version', 'm1'])).toBe('0.0.1-stand-in\n')
  })

  test('is stopped after a reboot of the machine, and start brings everything back', async () => {
    const identity = init()
    const record = storage.record('m1')!
    const names = localNames(storage.path, record.id)
    await storage.ok(['kill', 'm1'])
    expect(await storage.ok(['status', 'm1'])).toBe('Stopped\n')
    // Shared by the machines of the storage, of which another may be starting.
    expect(cgroupsOf(storageId(storage.path))).not.toEqual([])
    // What else a reboot does: all that is in the kernel is gone, the files stay.
    execFileSync('ip', ['netns', 'delete', names.netns])
    execFileSync('ip', ['link', 'delete', names.bridge])
    execFileSync('nft', ['delete', 'table', 'ip', names.table])
    execFileSync('rm', ['-rf', names.runtimeState])
    // The pid is another process's now.
    const stale = { ...identity, pid: process.pid, bootId: 'before the reboot' }
    writeFileSync(join(storage.path, 'machines/m1/driver/init.json'), JSON.stringify(stale))
    expect(await storage.ok(['status', 'm1'])).toBe('Stopped\n')
    await storage.ok(['start', 'm1'])
    expect(await storage.ok(['version', 'm1'])).toBe('0.0.1-stand-in\n')
  })
})
