/**
 * A real host: Debian with systemd, cloud-init and cgroup v2 in a virtual machine, under software emulation, so
 * each step takes some ten times as long as it would elsewhere. How long is printed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { vmUuid } from '../../../src/machine/drivers/qemu/command.ts'
import { findVmProcess } from '../../../src/machine/drivers/qemu/process.ts'
import { EngineClient } from '../../../src/machine/engine-api.ts'
import { requireCredentials } from '../../../src/machine/pki/authority.ts'
import { waitFor } from '../../../src/shared/deadline.ts'
import { type DebianGuest, debianGuestNeeds, makeDebianGuest } from '../../support/debian-guest.ts'
import { buildImage, oldArchive } from '../../support/images.ts'
import { TestStorage } from '../../support/machine-storage.ts'
import { missing, titled, which } from '../../support/needs.ts'
import { file, folder, makeTar } from '../../support/tar.ts'

const reason = missing(...debianGuestNeeds, 'busybox', 'sshd')
const minute = 60_000

describe.skipIf(reason)(
  titled('a Debian in a virtual machine, in a swarm with two local hosts', reason),
  () => {
    const storage = new TestStorage({ hasOwnEngine: true })
    let guest: DebianGuest
    let engine: EngineClient
    let uuid: string

    /** Runs a command that must succeed; says how long it took. */
    async function timed(args: string[], timeoutMs = 20 * minute): Promise<string> {
      const { code, stdout, stderr, ms } = await storage.run(args, { timeoutMs })
      console.log(`${args[0]} ${args.at(-1)}: ${Math.round(ms / 1000)} s\n${stdout}${stderr}`)
      if (code !== 0) throw new Error(`tsmachine ${args.join(' ')}: exit ${code}\n${stdout}${stderr}`)
      return stdout
    }
    const sh = async (script: string) => (await timed(['ssh', 'q1', 'sh', '-c', script])).trim()
    const open = async (name: string) =>
      EngineClient.open(storage.record(name)!.engine!, await requireCredentials(storage.store))
    const api = async <T>(name: string, path: string): Promise<T> => {
      const client = await open(name)
      try {
        return await client.call<T>('GET', path, { timeoutMs: minute })
      } finally {
        await client.close()
      }
    }

    beforeAll(async () => {
      guest = makeDebianGuest()
      await storage.ok(['create', '--driver', 'local', '--swarm', 'manager', 'm1'])
      await storage.ok(['create', '--driver', 'local', '--swarm', 'worker', 'w1'])
      const direct = ['kernel', 'initrd', 'append', 'image'] as const
      const options = direct.map((key) => `--qemu-${key}=${guest[key]}`)
      // The guest has no locales to choose from; and what the user adds is done beside what we need.
      const userData = join(storage.folder, 'user-data')
      writeFileSync(
        userData,
        '#cloud-config\nlocale: false\nssh_pwauth: true\nruncmd: [touch /var/lib/theirs]\n',
      )
      options.push(`--qemu-user-data=${userData}`)
      const size = ['--qemu-memory=1536', '--qemu-disk-size=4000', '--qemu-accelerator=tcg']
      const swarm = ['--swarm', 'worker', '--swarm-join', 'm1', '--timeout', '15m']
      await timed(['create', '--driver', 'qemu', ...options, ...size, ...swarm, 'q1'])
      uuid = vmUuid(storage.record('q1')!.id)
      engine = await open('q1')
    }, 30 * minute)
    afterAll(async () => {
      await engine?.close()
      await storage.release()
      expect(storage.leftovers()).toEqual([])
      if (uuid) expect(await findVmProcess(uuid)).toBeUndefined()
    }, 5 * minute)

    test('is set up by cloud-init as it was told', async () => {
      expect(await sh('cloud-init status --wait | tail -1')).toContain('done')
      expect(await sh('ls /var/lib/theirs')).toBe('/var/lib/theirs')
      expect(await sh('hostname; id -un; sudo -n id -un')).toBe('q1\ntsmachine\nroot')
      expect(await sh('ls /etc/ssh | grep host_.*key$')).toBe('ssh_host_ed25519_key')
      expect(await sh('sudo sshd -T | grep -i ^passwordauth')).toBe('passwordauthentication no')
      expect(await sh('systemd-analyze | head -1')).toContain('Startup finished')
    })

    test('runs the engine as a systemd unit', async () => {
      expect(await sh('systemctl is-active tshost; systemctl is-enabled tshost')).toBe('active\nenabled')
      expect(await sh('stat -fc %T /sys/fs/cgroup')).toBe('cgroup2fs')
      expect(await timed(['provision', 'q1'])).not.toContain('changed')
    })

    test('runs a container, within its limits, on cgroup v2', async () => {
      const archive = oldArchive([busyboxImage()])
      await engine.call('POST', '/images/load', { body: Readable.from([archive]), timeoutMs: 2 * minute })
      const limits = { memory: 64 * 1024 * 1024, pids: 50 }
      const script = Object.entries(limits)
        .map(([name, value]) => `[ "$(busybox cat /sys/fs/cgroup/${name}.max)" = ${value} ]`)
        .join(' && ')
      const { Id } = await engine.call<{ Id: string }>('POST', '/containers/create?name=c1', {
        body: {
          Image: 'busybox:latest',
          Cmd: ['busybox', 'sh', '-c', `${script} && exit 3`],
          HostConfig: { Memory: limits.memory, PidsLimit: limits.pids },
        },
        timeoutMs: minute,
      })
      await engine.call('POST', `/containers/${Id}/start`, { timeoutMs: minute })
      const { StatusCode } = await engine.call<{ StatusCode: number }>('POST', `/containers/${Id}/wait`, {
        timeoutMs: minute,
      })
      expect(StatusCode).toBe(3)
      await engine.call('DELETE', `/containers/${Id}`, { timeoutMs: minute })
    })

    test('is a node of the swarm, and runs a task', async () => {
      interface Node {
        Description: { Hostname: string }
        Status: { State: string }
      }
      const ready = async () => {
        const nodes = await api<Node[]>('m1', '/nodes')
        const names = nodes
          .filter(({ Status }) => Status.State === 'ready')
          .map((n) => n.Description.Hostname)
        return names.sort().join() === 'm1,q1,w1' || undefined
      }
      await waitFor('three nodes', ready, { timeoutMs: minute, everyMs: 500 })
      const manager = await open('m1')
      await manager.call('POST', '/services/create', {
        body: {
          Name: 's1',
          TaskTemplate: {
            ContainerSpec: { Image: 'busybox:latest', Command: ['/bin/busybox', 'sleep', '3600'] },
            Placement: { Constraints: ['node.hostname==q1'] },
          },
          Mode: { Replicated: { Replicas: 2 } },
        },
      })
      await manager.close()
      await taskCount(2)
    })

    test('stops by its power button, and comes back with its engine and its tasks', async () => {
      const key = storage.record('q1')!.ssh!.hostKeys
      await timed(['stop', 'q1'])
      expect(await storage.ok(['status', 'q1'])).toBe('Stopped\n')
      await timed(['start', '--timeout', '15m', 'q1'])
      expect(storage.record('q1')!.ssh!.hostKeys).toEqual(key)
      await taskCount(2)
      expect(await sh('systemctl is-active tshost')).toBe('active')
      // Asked to shut down in order, it did: the journal of the last boot has its end.
      expect(await sh('uptime -p')).toContain('minute')
    })

    test('is removed, and leaves the swarm', async () => {
      await engine.close()
      await timed(['rm', '-y', 'q1'])
      expect(await findVmProcess(uuid)).toBeUndefined()
      const nodes = await api<{ Description: { Hostname: string } }[]>('m1', '/nodes')
      expect(nodes.map((node) => node.Description.Hostname).sort()).toEqual(['m1', 'w1'])
    })

    /** Waits until so many tasks of the service run on the guest, told by its own engine. */
    async function taskCount(count: number): Promise<void> {
      const running = async () => {
        const list = await api<{ Labels: Record<string, string> }[]>('q1', '/containers/json')
        const tasks = list.filter(({ Labels }) => Labels['com.docker.swarm.service.name'] === 's1')
        return tasks.length === count || undefined
      }
      await waitFor(`${count} tasks on q1`, running, { timeoutMs: 3 * minute, everyMs: 1_000 })
    }
  },
)

function busyboxImage() {
  const layer = makeTar([
    folder('bin'),
    folder('tmp'),
    file('bin/busybox', readFileSync(which('busybox')!), { mode: 0o755 }),
  ])
  return buildImage({ tags: ['busybox:latest'], layers: [layer], config: { Env: ['PATH=/bin'] } })
}
