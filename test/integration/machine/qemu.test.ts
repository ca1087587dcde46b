import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { DriverContext } from '../../../src/machine/drivers/driver.ts'
import { vmUuid } from '../../../src/machine/drivers/qemu/command.ts'
import { qemuDriver } from '../../../src/machine/drivers/qemu/driver.ts'
import { findVmProcess } from '../../../src/machine/drivers/qemu/process.ts'
import { askMonitor } from '../../../src/machine/drivers/qemu/qmp.ts'
import type { DriverOptions, MachineRecord } from '../../../src/machine/record.ts'
import { sshTarget } from '../../../src/machine/ssh/target.ts'
import { waitForSsh } from '../../../src/machine/ssh/wait.ts'
import { waitFor } from '../../../src/shared/deadline.ts'
import { TestStorage } from '../../support/machine-storage.ts'
import { missing, titled } from '../../support/needs.ts'
import { makeSshGuest, type SshGuest, sshGuestNeeds } from '../../support/ssh-guest.ts'

const reason = missing(...sshGuestNeeds)
const run = { signal: new AbortController().signal, progress: () => {} }

describe.skipIf(reason)(titled('a machine on QEMU', reason), () => {
  const storage = new TestStorage()
  let guest: SshGuest
  beforeAll(() => {
    guest = makeSshGuest()
  })
  afterAll(() => storage.release())
  afterEach(async () => expect(await leftovers(storage)).toEqual([]))

  const options = (append = guest.append): DriverOptions => ({
    kernel: guest.kernel,
    initrd: guest.initrd,
    append,
    memory: 256,
    'cpu-count': 1,
    accelerator: 'tcg',
    'ssh-user': 'root',
    forward: [],
  })
  /** A kernel that stops at once, with a message on its console. */
  const panics = () => options('console=ttyS0 panic=0 rdinit=/nope root=none')
  const flags = (given: DriverOptions) =>
    Object.entries(given)
      .filter(([, value]) => !Array.isArray(value))
      .map(([key, value]) => `--qemu-${key}=${value}`)

  test('boots, lets us in with the keys that were made for it, and has a power button', {
    timeout: 120_000,
  }, async () => {
    const context = contextOf(storage, 'm1', options())
    await qemuDriver.check(context.record.options)
    await stepsForward(context)
    try {
      expect(context.record.ssh).toMatchObject({ host: '127.0.0.1', user: 'root' })
      expect(context.record.engine).toMatchObject({ host: '127.0.0.1', listenPort: 2376 })
      expect(await sh(context, 'hostname; cat /etc/passwd | wc -l')).toBe('m1\n2\n')
      expect(await qemuDriver.observe(context)).toBe('Running')
      for (const step of qemuDriver.steps.slice(3)) expect(await step.probe(context, run), step.id).toBe(true)
      expect(await qemuDriver.console!(context)).toContain('guest: ready')
      const monitor = join(context.paths.driver, 'monitor.sock')
      await askMonitor(monitor, 'stop')
      expect(await qemuDriver.observe(context)).toBe('Paused')
      await askMonitor(monitor, 'cont')

      const ports = context.record.made.ports
      const started = performance.now()
      await qemuDriver.power.stop!(context, run)
      expect(performance.now() - started).toBeLessThan(20_000)
      expect(await qemuDriver.observe(context)).toBe('Stopped')
      await qemuDriver.power.stop!(context, run)

      // Started again by two at once, as far as the lock of the machine lets them: the second finds it running.
      await qemuDriver.power.start!(context, run)
      await qemuDriver.power.start!(context, run)
      expect(context.record.made.ports).toEqual(ports)
      expect(await sh(context, 'echo again')).toBe('again\n')
      // A QEMU that dies is a machine that is off.
      const { pid } = (await findVmProcess(vmUuid(context.record.id)))!
      process.kill(pid, 'SIGKILL')
      await expect.poll(() => qemuDriver.observe(context), { timeout: 5_000 }).toBe('Stopped')
    } finally {
      await stepsBack(context)
    }
  })

  test('is gone without a trace after a kill -9 in any step, and an rm', async () => {
    for (const step of qemuDriver.steps.map(({ id }) => id)) {
      const child = begin(storage, ['--driver', 'qemu', ...flags(panics()), 'k1'])
      const exit = new Promise((resolve) => child.on('exit', resolve))
      const began = () => storage.record('k1')?.journal.some((entry) => entry.step === step) || undefined
      await waitFor(`step ${step}`, began, { timeoutMs: 20_000, everyMs: 1 })
      if (step === 'qemu.start') {
        // At the worst moment: QEMU is there, and nobody has written down which process it is.
        const { id } = storage.record('k1')!
        const spawned = () => findVmProcess(vmUuid(id))
        await waitFor('QEMU', spawned, { timeoutMs: 10_000, everyMs: 1 })
      }
      child.kill('SIGKILL')
      await exit
      await storage.ok(['rm', '-y', 'k1'])
      expect(await leftovers(storage), `killed in ${step}`).toEqual([])
    }
  })

  test('is resumed after a kill -9, and taken back with its console in the message', {
    timeout: 90_000,
  }, async () => {
    const args = ['--driver', 'qemu', ...flags(panics()), 'k2']
    const child = begin(storage, args)
    const exit = new Promise((resolve) => child.on('exit', resolve))
    const isUp = () => storage.record('k2')?.journal.some(({ step }) => step === 'ssh.wait') || undefined
    await waitFor('the guest', isUp, { timeoutMs: 20_000, everyMs: 5 })
    const uuid = vmUuid(storage.record('k2')!.id)
    const before = await findVmProcess(uuid)
    expect(before).toBeDefined()
    expect(await storage.ok(['status', 'k2'])).toBe('Running\n')
    child.kill('SIGKILL')
    await exit
    const resumed = storage.run(['create', '--timeout', '12s', ...args])
    await waitFor(
      'the second run',
      () => existsSync(join(storage.path, 'locks/machine-k2.lock')) || undefined,
      {
        timeoutMs: 10_000,
        everyMs: 5,
      },
    )
    expect(await findVmProcess(uuid)).toEqual(before)
    const { code, stderr } = await resumed
    expect(code).toBe(1)
    expect(stderr).toMatch(/k2 does not come up: .*; its console says: .*Kernel panic/)
    expect(storage.record('k2')).toBeUndefined()
  })

  test('has ports of its own beside another, and others where somebody took them', async () => {
    const [a, b] = ['a1', 'b1'].map((name) => contextOf(storage, name, panics())) as [
      DriverContext,
      DriverContext,
    ]
    try {
      await Promise.all([stepsForward(a), stepsForward(b)])
      const ports = [a, b].flatMap(({ record }) => [record.ssh!.port, record.engine!.port])
      expect(new Set(ports).size).toBe(4)
      for (const port of ports) expect(await answers(port)).toBe(true)
      await qemuDriver.power.kill!(a, run)
      const thief = createServer()
      await new Promise<void>((done) => thief.listen(ports[0], '127.0.0.1', done))
      await qemuDriver.power.start!(a, run)
      expect(a.record.ssh!.port).not.toBe(ports[0])
      expect(a.record.engine!.port).toBe(ports[1])
      thief.close()
    } finally {
      await stepsBack(a)
      await stepsBack(b)
    }
  })

  test.each([
    [['--qemu-memory=1'], 2, /--qemu-memory: it must be from 64/],
    [['--qemu-arch=vax'], 2, /--qemu-arch: "vax" is neither/],
    [['--qemu-accelerator=xen'], 2, /--qemu-accelerator: "xen" is none of/],
    [['--qemu-accelerator=hvf'], 3, /hvf runs no guest here/],
    [['--qemu-kernel=/nope'], 2, /--qemu-kernel: there is no file \/nope/],
    [['--qemu-append=x'], 2, /--qemu-append: it goes with --qemu-kernel/],
    [['--qemu-image=http://127.0.0.1/x'], 1, /needs a checksum/],
    [['--qemu-forward=80'], 2, /--qemu-forward: "80" is no/],
    [['--qemu-user-data=/nope'], 2, /there is no file \/nope/],
    [['--qemu-image=/nope', '--qemu-accelerator=tcg'], 1, /can't use the image \/nope: ENOENT/],
  ])('%j is refused, and nothing is left', async (args, code, line) => {
    const result = await storage.run(['create', '--driver', 'qemu', ...args, 'x1'])
    expect(result.stderr).toMatch(line)
    expect(result.code).toBe(code)
    expect(storage.record('x1')).toBeUndefined()
  })
})

function begin(storage: TestStorage, args: string[]): ChildProcess {
  return spawn(
    process.execPath,
    [join(import.meta.dirname, '../../../bin/tsmachine.js'), 'create', ...args],
    {
      env: { ...process.env, ...storage.env },
      stdio: 'ignore',
    },
  )
}

function contextOf(storage: TestStorage, name: string, options: DriverOptions): DriverContext {
  const record: MachineRecord = {
    version: 1,
    id: randomBytes(6).toString('hex'),
    name,
    driver: 'qemu',
    created: '',
    options,
    dockerContext: false,
    phase: 'creating',
    journal: [],
    made: {},
  }
  const paths = storage.store.paths.machine(`bare/${name}`)
  mkdirSync(paths.folder, { recursive: true })
  return {
    record,
    paths,
    storage: storage.path,
    withStorage: (work) => storage.store.withStorage(work),
    ssh: async () => waitForSsh(await sshTarget(record.ssh!), { timeoutMs: 60_000 }),
    waitMs: 60_000,
  }
}

async function stepsForward(context: DriverContext): Promise<void> {
  for (const step of qemuDriver.steps) await step.do(context, run)
}

async function stepsBack(context: DriverContext): Promise<void> {
  for (const step of qemuDriver.steps.toReversed()) await step.undo?.(context, run)
}

async function sh(context: DriverContext, script: string): Promise<string> {
  const connection = await context.ssh()
  try {
    return await connection.run(['sh', '-c', script])
  } finally {
    connection.close()
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.once('connect', () => done(true)).once('error', () => done(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Processes that stand in the storage, files of machines, and ports that are still somebody's. */
async function leftovers(storage: TestStorage): Promise<string[]> {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(storage.path)
      } catch {
        return false
      }
    })
  const files = readIfDir(join(storage.path, 'machines')).filter((name) => name !== 'bare')
  const drivers = readIfDir(join(storage.path, 'machines/bare')).filter((name) =>
    existsSync(join(storage.path, 'machines/bare', name, 'driver')),
  )
  const leases = join(storage.path, 'vm-ports.json')
  const ports = existsSync(leases) ? Object.keys(JSON.parse(readFileSync(leases, 'utf8')) as object) : []
  return [...processes, ...files, ...drivers, ...ports]
}

function readIfDir(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : []
}
