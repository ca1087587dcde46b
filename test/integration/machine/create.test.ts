import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { localSkipReason, TestStorage } from '../../support/machine-storage.ts'

const reason = await localSkipReason()

describe.skipIf(reason)('create', () => {
  const storage = new TestStorage()
  afterAll(async () => {
    await storage.release()
    expect(storage.leftovers()).toEqual([])
  })

  /** Begins a create, and returns once the step is in the journal. */
  async function createUntil(step: string): Promise<ChildProcess> {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../../bin/tsmachine.js'), 'create', 'k1'],
      {
        env: { ...process.env, ...storage.env },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const began = () => storage.record('k1')?.journal.some((entry) => entry.step === step) || undefined
    await waitFor(`step ${step}`, began, { timeoutMs: 20_000, everyMs: 2 })
    return child
  }

  const exitOf = (child: ChildProcess) =>
    new Promise<number | NodeJS.Signals | null>((resolve) =>
      child.on('exit', (code, signal) => resolve(code ?? signal)),
    )

  // One run that is killed in one step after the other, and completed by the last: each resumes what the one
  // before it left.
  test('completes what a kill -9 cut short, at whatever step', { timeout: 120_000 }, async () => {
    for (const step of ['local.start', 'bundle']) {
      const child = await createUntil(step)
      const exit = exitOf(child)
      child.kill('SIGKILL')
      expect(await exit).toBe('SIGKILL')
      const [row] = JSON.parse(await storage.ok(['ls', '--json'])) as object[]
      expect(row).toMatchObject({ name: 'k1', error: 'its creation is not complete' })
    }
    const differs = await storage.run(['create', '--swarm', 'manager', 'k1'])
    expect(differs.stderr).toContain('was begun with other options (--swarm not given)')
    expect(await storage.ok(['create', 'k1'])).toContain('Machine k1 is ready.')
    expect(await storage.ok(['version', 'k1'])).toBe('0.0.1-stand-in\n')
    expect((await storage.run(['create', 'k1'])).stderr).toContain('machine "k1" exists already')
    await storage.ok(['rm', '-y', 'k1'])
    expect(storage.leftovers()).toEqual([])
  })

  test('is undone by rm after a kill -9', async () => {
    const child = await createUntil('local.start')
    const exit = exitOf(child)
    // In the midst of starting the host.
    await sleep(100)
    child.kill('SIGKILL')
    await exit
    await storage.ok(['rm', '-y', 'k1'])
    expect(storage.record('k1')).toBeUndefined()
    expect(storage.leftovers()).toEqual([])
  })

  test('takes everything back on Ctrl-C, and ends with 130', async () => {
    const child = await createUntil('bundle')
    const exit = exitOf(child)
    child.kill('SIGINT')
    expect(await exit).toBe(130)
    expect(storage.record('k1')).toBeUndefined()
    expect(storage.leftovers()).toEqual([])
  })

  test('makes two machines at once, and one of two with the same name', { timeout: 120_000 }, async () => {
    const [a1, ...both] = await Promise.all(['a1', 'b1', 'b1'].map((name) => storage.run(['create', name])))
    expect(a1?.code).toBe(0)
    expect(both.map(({ code }) => code).sort()).toEqual([0, 1])
    expect(both.find(({ code }) => code === 1)?.stderr).toMatch(/exists already|working on machine "b1"/)
    const ips = (await storage.ok(['ip', 'a1', 'b1'])).trim().split('\n')
    expect(new Set(ips).size).toBe(2)
    await storage.ok(['rm', '--all', '-y'])
    expect(storage.leftovers()).toEqual([])
  })

  test('makes several, and those that were missing the next time', { timeout: 120_000 }, async () => {
    const first = await storage.run(['create', '--count', '2', '--quiet', '--ttl', '90m', 'c'])
    expect(first.stdout.trim().split('\n').sort()).toEqual(['c-1', 'c-2'])
    const { created, expires } = storage.record('c-1')!
    expect(Date.parse(expires!) - Date.parse(created)).toBe(90 * 60_000)
    await storage.ok(['rm', '-y', 'c-2'])
    expect(await storage.ok(['create', '--count', '2', '--quiet', 'c'])).toBe('c-2\n')
    const before = storage.record('c-1')
    // The third can't be made: its name is in use by a file.
    writeFileSync(join(storage.path, 'machines/c-3'), '')
    const short = await storage.run(['create', '--count', '3', 'c'])
    expect([short.code, short.stderr]).toEqual([
      1,
      expect.stringContaining('2 of 3 machines were made, 3 were wanted'),
    ])
    expect((await storage.run(['create', '--count', '3', '--quorum', '2', 'c'])).code).toBe(0)
    expect(storage.record('c-1')).toEqual(before)
    rmSync(join(storage.path, 'machines/c-3'))
    await storage.ok(['rm', '--all', '-y'])
    expect(storage.leftovers()).toEqual([])
  })

  test('keeps what was made before a step failed, if asked to, and goes on from there', async () => {
    const broken = { TSMACHINE_ENGINE: join(import.meta.dirname, '../../fixtures/machine/broken-engine.ts') }
    const failed = await storage.run(['create', '--keep-failed', '--timeout', '2s', 'k2'], { env: broken })
    expect(failed.code).toBe(1)
    expect(failed.stderr).toMatch(/this engine is broken; what there is of k2 was kept\n/)
    expect(await storage.ok(['inspect', '-f', '{{.Machine.phase}}', 'k2'])).toBe('creating\n')
    // The host stays; the engine, which is another one by now, is brought anew.
    const completed = await storage.ok(['create', 'k2'])
    expect(completed).not.toContain('Start the host')
    expect(completed).toMatch(/Bring the engine.*: changed/)
    await storage.ok(['rm', '-y', 'k2'])
    expect(storage.leftovers()).toEqual([])
  })

  describe('refuses, with one line and nothing left,', () => {
    const cases: [title: string, args: string[], code: number, line: RegExp][] = [
      ['an unknown driver', ['--driver', 'vax', 'x1'], 2, /no driver "vax"; there are /],
      ['a bad name', ['bad_name'], 2, /"bad_name" can't be a machine's name/],
      ['a name that is a path', ['../x'], 2, /can't be a machine's name/],
      [
        'another driver’s missing option',
        ['-d', 'generic', 'x1'],
        2,
        /--generic-ip-address: it must be given/,
      ],
      ['a subnet in use', ['--local-subnet', '127.0.0.0/16', 'x1'], 3, /127\.0\.0\.0\/16 overlaps/],
      ['a subnet that is none', ['--local-subnet', 'x/24', 'x1'], 2, /"x\/24" is no IPv4 subnet/],
      ['a time that is none', ['--timeout', 'abc', 'x1'], 2, /^tsmachine: --timeout: "abc" is no duration/],
      ['an unknown runtime', ['--local-runtime', 'lxc', 'x1'], 2, /--local-runtime: "lxc" is none of/],
      [
        'a worker without a manager',
        ['--swarm', 'worker', 'x1'],
        3,
        /no swarm to join: there is no manager yet/,
      ],
      [
        'a manager that is not there',
        ['--swarm', 'worker', '--swarm-join', 'm9', 'x1'],
        1,
        /no machine "m9"/,
      ],
      ['a role that is none', ['--swarm', 'king', 'x1'], 2, /--swarm=king/],
    ]
    describe.concurrent('at once', () => {
      for (const [title, args, code, line] of cases) {
        test(title, async ({ expect }) => {
          const result = await storage.run(['create', ...args])
          expect(result.stderr.split('\n')[0]).toMatch(line)
          expect(result.code).toBe(code)
        })
      }
    })

    test('... nothing left of all these', async () => {
      expect(await storage.ok(['ls', '-q'])).toBe('')
      expect(storage.leftovers()).toEqual([])
    })

    test('an engine that does not come up, with the end of its log', { timeout: 90_000 }, async () => {
      const result = await storage.run(['create', '--timeout', '2s', 'x1'], {
        env: { TSMACHINE_ENGINE: join(import.meta.dirname, '../../fixtures/machine/broken-engine.ts') },
      })
      expect(result.stderr).toMatch(/does not come up; its log says: Error: this engine is broken\n/)
      expect(result.code).toBe(1)
      expect(storage.record('x1')).toBeUndefined()
      expect(storage.leftovers()).toEqual([])
    })

    test('a disk that is full', async () => {
      const path = join(storage.folder, 'small')
      mkdirSync(path)
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', path])
      try {
        const result = await storage.run(['create', 'x1'], { env: { TSMACHINE_STORAGE_PATH: path } })
        expect(result.stderr).toContain(`can't use the storage folder ${path}: the disk is full`)
        expect(result.code).toBe(1)
        expect(readdirSync(join(path, 'machines'))).toEqual([])
      } finally {
        execFileSync('umount', [path])
      }
    })

    test('a machine that lacks a package, named with the command that brings it', async () => {
      const hide =
        'mount -t tmpfs tmpfs /mnt && mkdir /mnt/u /mnt/w && ' +
        'mount -t overlay -o lowerdir=/usr/sbin,upperdir=/mnt/u,workdir=/mnt/w overlay /usr/sbin && ' +
        'rm /usr/sbin/nft && exec "$@"'
      const result = await storage.run(['create', 'x1'], {
        command: ['unshare', '-m', 'sh', '-c', hide, 'sh'],
      })
      expect(result.stderr).toBe(
        'tsmachine: this machine lacks nft\n  Install it: apt-get install -y --no-install-recommends nftables\n',
      )
      expect(result.code).toBe(3)
    })

    test('someone who is not root', async () => {
      const result = await storage.run(['create', 'x1'], {
        command: ['setpriv', '--reuid', '65534', '--clear-groups'],
        env: { HOME: '/nonexistent' },
      })
      expect(result.stderr).toBe(
        'tsmachine: local machines need root, for their namespaces and network\n  Run the same command with sudo.\n',
      )
      expect(result.code).toBe(3)
    })

    test('a storage folder that can not be written', async () => {
      const path = join(storage.folder, 'file')
      writeFileSync(path, '')
      const result = await storage.run(['create', 'x1'], { env: { TSMACHINE_STORAGE_PATH: path } })
      expect(result.code).toBe(1)
      expect(result.stderr).toContain(`can't use the storage folder ${path}`)
    })
  })
})
