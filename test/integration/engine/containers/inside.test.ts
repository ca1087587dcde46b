import { readFileSync, readlinkSync } from 'node:fs'
import { expect, it } from 'vitest'
import { controllerFolder } from '../../../../src/engine/runtime/cgroups/hierarchy.ts'
import { detectFeatures } from '../../../../src/engine/runtime/features.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'

/** Docker's fourteen capabilities, as the kernel shows the set. */
const dockerCapabilities = '00000000a80425fb'

describeDaemon('the inside of a container', {}, (daemon) => {
  const sh = async (script: string, ...flags: string[]) => {
    const { stdout, stderr } = await daemon.docker(['run', '--rm', ...flags, 'busybox', 'sh', '-c', script])
    return stdout + stderr
  }
  const status = async (...flags: string[]) => {
    const text = await daemon.dockerOk('run', '--rm', ...flags, 'busybox', 'cat', '/proc/self/status')
    const lines = text.split('\n').map((line) => line.split(/:\s+/))
    return Object.fromEntries(lines) as Record<string, string>
  }

  it('has six namespaces that are neither the host’s nor another container’s', async () => {
    const kinds = ['mnt', 'uts', 'ipc', 'pid', 'net', 'cgroup']
    const ids = await Promise.all([0, 1].map(() => daemon.dockerOk('run', '-d', 'busybox', 'sleep', '60')))
    const inside = await Promise.all(
      ids.map(async (id) => {
        const pid = await daemon.dockerOk('inspect', '-f', '{{.State.Pid}}', id)
        return kinds.map((kind) => readlinkSync(`/proc/${pid}/ns/${kind}`))
      }),
    )
    const host = kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`))
    expect(new Set([...inside.flat(), ...host]).size).toBe(18)
    await daemon.dockerOk('rm', '-f', ...ids)
  })

  it('has Docker’s capabilities, its filter, and no signal blocked or ignored', async () => {
    expect(await status()).toMatchObject({
      CapInh: '0000000000000000',
      CapPrm: dockerCapabilities,
      CapEff: dockerCapabilities,
      CapBnd: dockerCapabilities,
      CapAmb: '0000000000000000',
      NoNewPrivs: '0',
      Seccomp: '2',
      SigBlk: '0000000000000000',
      SigIgn: '0000000000000000',
    })
  })

  it('follows --cap-add, --cap-drop, --user, --privileged and --security-opt', async () => {
    expect((await status('--cap-drop', 'ALL', '--cap-add', 'CHOWN')).CapBnd).toBe('0000000000000001')
    expect(await status('-u', '1000')).toMatchObject({
      CapEff: '0000000000000000',
      CapBnd: dockerCapabilities,
    })
    expect(await status('--security-opt', 'no-new-privileges')).toMatchObject({
      NoNewPrivs: '1',
      Seccomp: '2',
    })
    expect((await status('--security-opt', 'seccomp=unconfined')).Seccomp).toBe('0')
    const { CapBnd, Seccomp } = await status('--privileged')
    const own = /^CapBnd:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]
    expect([CapBnd, Seccomp]).toEqual([own, '0'])
  })

  it('starts with three descriptors and no other, with a terminal as well', async () => {
    const script = 'ls -l /proc/1/fd | grep -c -- "->"'
    expect((await sh(script)).trim()).toBe('3')
    expect((await sh(script, '-i')).trim()).toBe('3')
    expect((await sh(script, '-t')).trim()).toBe('3')
  })

  it('hides what tells of the host, and can change none of it', async () => {
    expect(await sh('wc -c < /proc/keys; wc -c < /proc/timer_list; ls /sys/firmware | wc -l')).toBe(
      '0\n0\n0\n',
    )
    const writes = [
      '/proc/sys/kernel/panic',
      '/proc/sysrq-trigger',
      '/sys/kernel/mm/ksm/run',
      '/sys/fs/cgroup/x',
    ]
    for (const path of writes) {
      expect(await sh(`echo 1 > ${path}`)).toMatch(
        /Read-only file system|nonexistent directory|Permission denied/,
      )
    }
    expect(await sh('mount -t tmpfs none /mnt; mkdir /m; mount -t tmpfs none /m')).toMatch(
      /permission denied|Operation not permitted/,
    )
  })

  it('is held to its memory, and one that the kernel kills for it says so', async () => {
    const args = ['--name', 'hungry', '--memory', '16m', '--memory-swap', '16m', 'busybox', 'sh', '-c']
    const run = await daemon.docker([
      'run',
      ...args,
      'dd if=/dev/zero of=/dev/shm/x bs=1M count=40; tail /dev/zero',
    ])
    expect(run.code).toBe(137)
    expect(await daemon.dockerOk('inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'hungry')).toBe(
      'true 137',
    )
    const until = (Date.now() / 1000).toFixed(3)
    const filters = encodeURIComponent(JSON.stringify({ container: ['hungry'], event: ['oom'] }))
    const events = await daemon.api('GET', `/events?since=1&until=${until}&filters=${filters}`)
    expect(events.json()).toMatchObject({ Action: 'oom', Actor: { Attributes: { image: 'busybox' } } })
    await daemon.dockerOk('rm', 'hungry')
  })

  it('is held to its processes and to its share of the CPU', async () => {
    const forks = await sh('for i in $(seq 30); do sleep 1 & done; wait', '--pids-limit', '10')
    expect(forks).toMatch(/can't fork/)
    const flags = ['--cpus', '0.25', '--cpu-shares', '512', '--memory', '64m', '--pids-limit', '100']
    const id = await daemon.dockerOk('run', '-d', ...flags, 'busybox', 'sh', '-c', 'while :; do :; done')
    const { cgroups } = detectFeatures()
    const read = (controller: string, file: string) =>
      readFileSync(
        `${controllerFolder(cgroups, controller, `/tshost-${daemon.engineId}/${id}`)}/${file}`,
        'utf8',
      ).trim()
    const throttled = () =>
      Number(/^nr_throttled (\d+)/m.exec(read('cpu', 'cpu.stat'))?.[1]) > 2 ? true : undefined
    await waitFor('the kernel to hold it back', throttled, { timeoutMs: 10_000 })
    const limits =
      cgroups.version === 1
        ? [
            read('cpu', 'cpu.cfs_quota_us'),
            read('cpu', 'cpu.shares'),
            read('memory', 'memory.limit_in_bytes'),
            read('pids', 'pids.max'),
          ]
        : [read('', 'cpu.max').split(' ')[0], '512', read('', 'memory.max'), read('', 'pids.max')]
    expect(limits).toEqual(['25000', '512', String(64 << 20), '100'])
    await daemon.dockerOk('rm', '-f', id)
  })

  it('has the limits of a login, a host name, a resolver, and takes others', async () => {
    expect(await sh('ulimit -n; cat /etc/hostname', '-h', 'box')).toBe('1024\nbox\n')
    expect(await sh('cat /etc/hosts', '-h', 'box', '--add-host', 'there:192.0.2.7')).toMatch(
      /127\.0\.0\.1\s+localhost[\s\S]*192\.0\.2\.7\s+there[\s\S]*\sbox\n$/,
    )
    expect(await sh('ulimit -n', '--ulimit', 'nofile=64:128')).toBe('64\n')
  })
})
