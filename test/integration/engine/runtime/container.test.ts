import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controllerFolder } from '../../../../src/engine/runtime/cgroups/hierarchy.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { mountCount, RuntimeBench } from '../../../support/bundle.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing('busybox')

describe.skipIf(reason)(titled('a container', reason), () => {
  let bench: RuntimeBench
  let mountsBefore: number
  beforeAll(async () => {
    mountsBefore = mountCount()
    bench = new RuntimeBench()
    await bench.poll.started()
  })
  afterAll(async () => {
    await bench[Symbol.asyncDispose]()
    expect(mountCount()).toBe(mountsBefore)
  })

  it('runs a program and tells its exit code', async () => {
    expect((await bench.run(['true'])).status.exitCode).toBe(0)
    expect((await bench.run(['sh', '-c', 'exit 7'])).status.exitCode).toBe(7)
  })

  it('tells a death by signal as 128 and the signal', async () => {
    const { status } = await bench.run(['sh', '-c', 'sleep 5 & kill -9 $!; wait $!; exit $?'])
    expect(status.exitCode).toBe(137)
  })

  it('captures both streams', async () => {
    const { stdout, stderr } = await bench.run(['sh', '-c', 'echo out; echo err >&2'])
    expect([stdout, stderr]).toEqual(['out\n', 'err\n'])
  })

  it('has six namespaces of its own', async () => {
    const { readlinkSync } = await import('node:fs')
    const out = await bench.sh('for n in mnt uts ipc pid net cgroup; do readlink /proc/self/ns/$n; done')
    const own = ['mnt', 'uts', 'ipc', 'pid', 'net', 'cgroup'].map((n) => readlinkSync(`/proc/self/ns/${n}`))
    const inside = out.trim().split('\n')
    expect(inside).toHaveLength(6)
    for (const [i, link] of own.entries()) expect(inside[i]).not.toBe(link)
  })

  it('is process 1 with a host name of its own and loopback up', async () => {
    const out = await bench.sh('echo $$; hostname; ip addr show lo')
    expect(out).toMatch(/^1\nbox\n/)
    expect(out).toMatch(/lo: <LOOPBACK,UP/)
  })

  it('starts with exactly three descriptors, no blocked or ignored signals', async () => {
    // The container's first process itself; its own folder is the fourth.
    expect((await bench.run(['ls', '/proc/self/fd'])).stdout).toBe('0\n1\n2\n3\n')
    const status = (await bench.run(['grep', 'Sig', '/proc/self/status'])).stdout
    expect(status).toMatch(/SigBlk:\s+0{16}\nSigIgn:\s+0{16}\n/)
  })

  it("has Docker's capabilities, in all but the inheritable and ambient sets", async () => {
    const out = await bench.sh('grep Cap /proc/self/status')
    const sets = Object.fromEntries(
      out
        .trim()
        .split('\n')
        .map((l) => l.split(/:\s+/)),
    )
    expect(sets).toEqual({
      CapInh: '0000000000000000',
      CapPrm: '00000000a80425fb',
      CapEff: '00000000a80425fb',
      CapBnd: '00000000a80425fb',
      CapAmb: '0000000000000000',
    })
  })

  it('gives a user other than root no capability, and its groups', async () => {
    const change = (spec: { process?: object }) => {
      Object.assign(spec.process!, { user: { uid: 1000, gid: 1000, additionalGids: [10] } })
    }
    const out = await bench.sh('id; grep CapEff /proc/self/status; echo x > /dev/stdout', { change })
    expect(out).toMatch(/uid=1000\(web\) gid=1000\(web\) groups=10\(wheel\)/)
    expect(out).toMatch(/CapEff:\s+0{16}\nx\n/)
  })

  it('has a filter, and new privileges unless forbidden', async () => {
    expect(await bench.sh('grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status')).toMatch(
      /NoNewPrivs:\s0\nSeccomp:\s2\n/,
    )
    const change = (spec: { process?: { noNewPrivileges?: boolean } }) => {
      spec.process!.noNewPrivileges = true
    }
    const strict = await bench.sh('grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status', { change })
    expect(strict).toMatch(/NoNewPrivs:\s1\nSeccomp:\s2\n/)
  })

  it('can neither mount, nor make namespaces, nor see the host through /proc', async () => {
    const { stdout } = await bench.run([
      'sh',
      '-c',
      `mount -t tmpfs none /tmp 2>&1; unshare -m true 2>&1; wc -c < /proc/timer_list; wc -c < /proc/keys
       ls /sys/firmware | wc -l; echo 1 > /proc/sys/kernel/panic; echo 1 > /sys/kernel/uevent_helper; echo done`,
    ])
    expect(stdout).toMatch(/permission denied.*\n.*Operation not permitted\n0\n0\n0\ndone\n$/)
  })

  it('can use no device but those of /dev', async () => {
    const { stdout, stderr } = await bench.run([
      'sh',
      '-c',
      'mknod /tmp/d b 254 0 && head -c1 /tmp/d; mknod /tmp/n c 1 5 && head -c3 /tmp/n | wc -c; rm -f /tmp/d /tmp/n',
    ])
    expect(stdout).toBe('3\n')
    expect(stderr).toMatch(/\/tmp\/d: Operation not permitted/)
  })

  it('keeps its writes in the overlay and leaves the layers alone', async () => {
    const { mkdirSync, readdirSync, existsSync } = await import('node:fs')
    const folder = `${bench.folder}/overlay`
    for (const name of ['up', 'work', 'mnt']) mkdirSync(`${folder}/${name}`, { recursive: true })
    const overlay = { folder, lower: ['../rootfs'], upper: 'up', work: 'work', mountPoint: `${folder}/mnt` }
    const out = await bench.sh('echo new > /etc/new; rm /etc/group; cat /etc/new', { overlay })
    expect(out).toBe('new\n')
    expect(readdirSync(`${folder}/up/etc`).sort()).toEqual(['group', 'new'])
    expect(existsSync(`${bench.rootfs}/etc/new`)).toBe(false)
    expect(readdirSync(`${folder}/mnt`)).toEqual([])
  })

  it('says which step failed, and leaves nothing', async () => {
    await expect(bench.run(['/no/such/program'])).rejects.toMatchObject({
      code: 'E_NO_EXECUTABLE',
      exit: 127,
    })
    await expect(bench.run(['/etc/passwd'])).rejects.toMatchObject({ code: 'E_NOT_EXECUTABLE', exit: 126 })
    const change = (spec: { mounts?: object[] }) => {
      spec.mounts!.push({ destination: '/mnt', type: 'bind', source: '/no/such/folder', options: ['bind'] })
    }
    await expect(bench.run(['true'], { change })).rejects.toMatchObject({
      code: 'E_START',
      message: expect.stringContaining('open /no/such/folder: ENOENT'),
    })
  })

  it('is limited in memory, processes and CPU', async () => {
    const change = (spec: { linux?: { resources?: object } }) => {
      Object.assign(spec.linux!.resources!, {
        memory: { limit: 32 << 20, swap: 32 << 20 },
        pids: { limit: 20 },
        cpu: { quota: 20_000, period: 100_000, shares: 512 },
      })
    }
    const killed = await bench.run(['dd', 'if=/dev/zero', 'of=/dev/shm/x', 'bs=1M', 'count=60'], { change })
    expect(killed.status).toMatchObject({ exitCode: 137, signal: 9 })
    const forks = await bench.run(['sh', '-c', 'for i in $(seq 40); do sleep 1 & done; wait'], { change })
    expect(forks.stderr).toMatch(/can't fork/)
    // Until the kernel has counted periods in which it was held back, however quick or slow the machine is.
    const began = performance.now()
    const busy = await bench.start(['sh', '-c', 'while :; do :; done'], { change })
    const stat = `${controllerFolder(bench.features.cgroups, 'cpu', busy.cgroupPath)}/cpu.stat`
    const throttled = () => Number(/^nr_throttled (\d+)/m.exec(readFileSync(stat, 'utf8'))?.[1])
    await waitFor('the kernel to hold it back', () => (throttled() >= 5 ? true : undefined), {
      timeoutMs: 20_000,
    })
    busy.running.signal(9)
    const { userUs, systemUs } = await busy.end
    expect(userUs + systemUs).toBeLessThan((performance.now() - began) * 1000 * 0.6)
  })
})
