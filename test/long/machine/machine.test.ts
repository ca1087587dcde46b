import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { BareHost } from '../../support/machine-bare-host.ts'
import { localSkipReason, TestStorage } from '../../support/machine-storage.ts'

const reason = await localSkipReason()

describe.skipIf(reason)('local machines', () => {
  const storage = new TestStorage()
  afterEach(async () => {
    await storage.ok(['rm', '--all', '-y'])
    expect(storage.leftovers()).toEqual([])
  })
  afterAll(() => storage.release())

  test('are completed or removed after a kill -9 at any moment', async () => {
    for (const afterMs of [
      300, 500, 700, 900, 1_100, 1_300, 1_500, 1_700, 2_000, 2_500, 3_000, 3_500, 4_000,
    ]) {
      const bin = join(import.meta.dirname, '../../../bin/tsmachine.js')
      const child = spawn(bin, ['create', 'k1'], { env: { ...process.env, ...storage.env }, stdio: 'ignore' })
      const exit = new Promise((resolve) => child.on('exit', resolve))
      await sleep(afterMs)
      child.kill('SIGKILL')
      await exit
      if (afterMs % 200 === 100 && storage.record('k1')) {
        await storage.ok(['rm', '-y', 'k1'])
        expect(storage.leftovers(), `killed after ${afterMs} ms`).toEqual([])
      } else if (storage.record('k1')?.phase !== 'ready') {
        await storage.ok(['create', 'k1'])
        expect(await storage.ok(['version', 'k1'])).toBe('0.0.1-stand-in\n')
      }
    }
  })

  test('get a made-up name, which is printed', async () => {
    const name = (await storage.ok(['create', '-q'])).trim()
    expect(name).toMatch(/^[a-z]+-[a-z]+$/)
    expect(await storage.ok(['status', name])).toBe('Running\n')
  })

  test('are restarted', async () => {
    await storage.ok(['create', 'm1'])
    const init = () => readFileSync(join(storage.path, 'machines/m1/driver/init.json'), 'utf8')
    const before = init()
    await storage.ok(['restart', 'm1'])
    expect(init()).not.toBe(before)
  })

  test('get a new certificate for a lost one, and the engine starts anew with it', async () => {
    await storage.ok(['create', 'm1'])
    const pid = () => storage.ok(['ssh', 'm1', 'cat', '/run/tshost.pid'])
    const before = await pid()
    execFileSync('rm', [join(storage.path, 'machines/m1/server.pem')])
    const output = await storage.ok(['provision', 'm1'])
    expect(output).toMatch(/Hand over its certificates: changed/)
    expect(output).toMatch(/Start the engine: changed/)
    expect(await pid()).not.toBe(before)
  })

  test('join a swarm as workers, and leave it when they are removed', async () => {
    await storage.ok(['create', '--swarm', 'manager', 'm1'])
    await storage.ok(['create', '--swarm', 'worker', 'w1'])
    expect(storage.record('w1')).toMatchObject({ swarm: { role: 'worker', join: 'm1' }, phase: 'ready' })
    const ip = (await storage.ok(['ip', 'm1'])).trim()
    const info = await storage.ok(['ssh', 'w1', 'cat', '/var/lib/tshost/swarm.json'])
    const { joined } = JSON.parse(info) as { joined: { RemoteAddrs: string[]; JoinToken: string } }
    expect(joined.RemoteAddrs).toEqual([`${ip}:2377`])
    expect(joined.JoinToken).toContain('SWMTKN-1-w')
    // Hosts of one storage reach each other.
    expect((await storage.run(['ssh', 'w1', 'busybox', 'nc', '-w2', ip, '22'])).code).toBe(0)
    expect(await storage.ok(['rm', '-y', 'w1'])).toContain('Machine w1 is gone.')
    expect(storage.record('w1')).toBeUndefined()
  })

  for (const runtime of ['tshost', 'crun', 'runc']) {
    test(`are started by ${runtime}, where it is there`, async ({ skip }) => {
      const result = await storage.run(['create', '--local-runtime', runtime, 'm1'])
      if (result.stderr.includes('this machine lacks')) return skip(result.stderr.split('\n')[0])
      expect(result.code).toBe(0)
      expect(await storage.ok(['ssh', 'm1', 'cat', '/proc/1/comm'])).toBe('busybox\n')
    })
  }
})

describe.skipIf(reason)('a host that was there before', () => {
  const storage = new TestStorage()
  afterAll(async () => {
    await storage.release()
    expect(storage.leftovers()).toEqual([])
  })

  test('without an init that we know runs the engine detached', async () => {
    const host = await BareHost.start(storage, 'bare')
    try {
      await host.sh('mv /etc/inittab /etc/inittab.away')
      const address = ['--generic-ip-address', host.address, '--generic-ssh-key', host.keyPath]
      await storage.ok(['create', '-d', 'generic', ...address, 'g1'])
      expect(await storage.ok(['version', 'g1'])).toBe('0.0.1-stand-in\n')
      expect(await storage.ok(['provision', 'g1'])).not.toContain('changed')
      await storage.ok(['rm', '-y', 'g1'])
      await waitFor(
        'the engine to be gone',
        async () => (await host.sh('pgrep -x node; true')) === '' || undefined,
        {
          timeoutMs: 5_000,
        },
      )
    } finally {
      await host.release()
    }
  })

  test('that goes away is kept until rm -f, which names what is left', async () => {
    // The other one keeps the bridge up: packets for a host that is gone must not leave this machine.
    const other = await BareHost.start(storage, 'other')
    const host = await BareHost.start(storage, 'gone')
    const address = ['--generic-ip-address', host.address, '--generic-ssh-key', host.keyPath]
    await storage.ok(['create', '-d', 'generic', ...address, 'g2'])
    await host.release()
    expect(await storage.ok(['status', 'g2'])).toBe('Stopped\n')
    const kept = await storage.run(['rm', '-y', 'g2'])
    expect(kept.code).toBe(1)
    expect(kept.stderr).toMatch(/g2 is not quite gone, left: Start the engine \(no answer from/)
    expect(storage.record('g2')?.phase).toBe('removing')
    const forced = await storage.run(['rm', '-f', 'g2'])
    expect(forced.code).toBe(0)
    expect(forced.stderr).toContain('g2: left behind: Bring the engine')
    expect(storage.record('g2')).toBeUndefined()
    await other.release()
  })
})
