import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ensureSshKey } from '../../../src/machine/ssh/keys.ts'
import { BareHost } from '../../support/machine-bare-host.ts'
import { localSkipReason, TestStorage } from '../../support/machine-storage.ts'

const reason = await localSkipReason()

describe.skipIf(reason)('the generic driver', () => {
  const storage = new TestStorage()
  let host: BareHost

  beforeAll(async () => {
    host = await BareHost.start(storage, 'bare')
  })
  afterAll(async () => {
    await storage.run(['rm', '--all', '-f'])
    await host?.release()
    await storage.release()
    expect(storage.leftovers()).toEqual([])
  })

  const create = (name: string, options: Record<string, string> = {}, more: string[] = []) => {
    const all = { 'ip-address': host.address, 'ssh-key': host.keyPath, ...options }
    const flags = Object.entries(all).map(([key, value]) => `--generic-${key}=${value}`)
    return storage.run(['create', '-d', 'generic', ...flags, ...more, name])
  }
  /** What the bootstrap may leave on a host. */
  const installed = async () => {
    const paths = '/opt/tsmachine /etc/tshost /etc/systemd/system/tshost.service /run/tshost.pid'
    return (await host.sh(`ls -d ${paths} 2>/dev/null; grep tshost /etc/inittab; pgrep -x node; true`)).trim()
  }

  describe('adopts a host', () => {
    test('with an init: engine installed, kept running, and taken away by rm', async () => {
      const created = await create('g1')
      expect(created.stderr).toBe('')
      expect(created.code).toBe(0)
      // No terminal, no progress bar, but the key that was trusted is named.
      expect(created.stdout).toMatch(/trusting the key it showed: SHA256:/)
      expect(await storage.ok(['version', 'g1'])).toBe('0.0.1-stand-in\n')
      expect(storage.record('g1')?.ssh?.hostKeys).toEqual([host.hostKey.split(' ').slice(0, 2).join(' ')])
      await host.sh('kill -9 $(cat /run/tshost.pid)')
      await expect
        .poll(async () => (await storage.run(['version', 'g1'])).stdout, { timeout: 10_000 })
        .toBe('0.0.1-stand-in\n')
      expect((await storage.run(['stop', 'g1'])).stderr).toMatch(
        /can't stop g1: the generic driver has no power/,
      )
      const removed = await storage.ok(['rm', '-y', 'g1'])
      expect(removed).toContain("the engine's data stays in /var/lib/tshost")
      expect(await installed()).toBe('')
    })

    test('but not one that another storage has', async () => {
      expect((await create('g1')).code).toBe(0)
      const other = new TestStorage()
      try {
        const flags = [`--generic-ip-address=${host.address}`, `--generic-ssh-key=${host.keyPath}`]
        const result = await other.run(['create', '-d', 'generic', ...flags, 'mine'])
        expect(result.stderr).toMatch(/can't run the engine: another tsmachine has its engine there/)
        expect(result.code).toBe(3)
        expect(await storage.ok(['version', 'g1'])).toBe('0.0.1-stand-in\n')
      } finally {
        await other.release()
        await storage.ok(['rm', '-y', 'g1'])
      }
    })

    test('whose key was given, and refuses another', async () => {
      const other = await ensureSshKey(join(storage.folder, 'other'), 'other')
      const result = await create('g1', { 'ssh-host-key': other.public })
      expect(result.code).toBe(1)
      expect(result.stderr).toMatch(/the host key of \S+ has changed: expected SHA256:\S+, got SHA256:/)
      expect(await installed()).toBe('')
    })
  })

  describe('refuses, with the cause named and nothing left on either side,', () => {
    beforeEach(async () => {
      expect(await storage.ok(['ls', '-q'])).toBe('')
    })
    const expectRefusal = async (result: Awaited<ReturnType<typeof create>>, line: RegExp, code = 1) => {
      expect(result.stderr.split('\n')[0]).toMatch(line)
      expect(result.code).toBe(code)
      expect(await storage.ok(['ls', '-q'])).toBe('')
      expect(await installed()).toBe('')
    }

    test('a port where nothing listens', async () => {
      await expectRefusal(await create('g1', { 'ssh-port': '2222' }), /refuses SSH connections on port 2222$/)
    })

    test('an address where nobody is', async () => {
      const nobody = host.address.replace(/\.\d+$/, '.250')
      await expectRefusal(await create('g1', { 'ip-address': nobody }), /no answer from \S+\.250 port 22/)
    })

    test('a name without an address', async () => {
      // Too long for any name server to be asked.
      const name = `${'a'.repeat(64)}.invalid`
      await expectRefusal(
        await create('g1', { 'ip-address': name }),
        /^tsmachine: the name a+\.invalid has no address$/,
      )
    })

    test('a server that does not speak SSH', async () => {
      const server = createServer((socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n')).listen(
        0,
        '127.0.0.1',
      )
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      try {
        const result = await create('g1', { 'ip-address': '127.0.0.1', 'ssh-port': String(port) })
        await expectRefusal(result, /does not speak SSH as expected/)
      } finally {
        server.close()
      }
    })

    test('a key that the host does not know', async () => {
      await ensureSshKey(join(storage.folder, 'wrong'), 'wrong')
      const path = join(storage.folder, 'wrong')
      await expectRefusal(await create('g1', { 'ssh-key': path }), /does not let root in with \/\S+wrong$/)
    })

    test('a key file that is none, or not there', async () => {
      const path = join(storage.folder, 'nonsense')
      writeFileSync(path, 'nonsense')
      await expectRefusal(
        await create('g1', { 'ssh-key': path }),
        /can't use the SSH key \S+nonsense: it is no private key/,
        2,
      )
      await expectRefusal(
        await create('g1', { 'ssh-key': '/nowhere' }),
        /\/nowhere: there is no such file/,
        2,
      )
    })

    test('a user who may not become root', async () => {
      await host.sh(`echo 'joe:x:1000:1000::/home/joe:/bin/sh' >> /etc/passwd
mkdir -p /home/joe/.ssh && cp /root/.ssh/authorized_keys /home/joe/.ssh/ && chown -R 1000:1000 /home/joe`)
      await expectRefusal(
        await create('g1', { 'ssh-user': 'joe' }),
        /joe may not become root on \S+ without a password/,
        3,
      )
    })

    test('a host whose disk is full', async () => {
      await host.sh('mount -t tmpfs -o size=20m tmpfs /opt')
      try {
        await expectRefusal(
          await create('g1'),
          /not enough room on \S+: \/opt\/tsmachine has 21MB free, 151MB are needed/,
          3,
        )
      } finally {
        await host.sh('umount /opt')
      }
    })

    test('a host without nft', async () => {
      await host.sh(
        'mkdir -p /tmp/empty && touch /tmp/empty/nft && mount --bind /tmp/empty/nft /usr/sbin/nft',
      )
      try {
        await expectRefusal(await create('g1'), /it lacks nft \(apt-get install .* nftables\)/, 3)
      } finally {
        await host.sh('umount /usr/sbin/nft')
      }
    })
  })
})
