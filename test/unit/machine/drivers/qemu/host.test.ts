import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import {
  chooseAccelerator,
  parseAccelerator,
  whyNot,
} from '../../../../../src/machine/drivers/qemu/accelerator.ts'
import { parseImageInfo } from '../../../../../src/machine/drivers/qemu/disk.ts'
import { monitorPath } from '../../../../../src/machine/drivers/qemu/host.ts'
import { findVmProcess, killVmProcess, parsePs } from '../../../../../src/machine/drivers/qemu/process.ts'
import { askMonitor } from '../../../../../src/machine/drivers/qemu/qmp.ts'
import { titled, which } from '../../../../support/needs.ts'

const folder = mkdtempSync(join(tmpdir(), 'tsmachine-qemu-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe("QEMU's monitor", () => {
  /** Answers as QEMU does, with an event before each answer; `lines` by command, undefined for silence. */
  async function withMonitor(
    lines: Record<string, string | undefined>,
    work: (path: string) => Promise<void>,
  ) {
    const path = join(folder, `${Math.random()}.sock`)
    const server = createServer((socket) => {
      socket.on('error', () => {})
      if (lines.greeting !== '') socket.write(`${lines.greeting ?? '{"QMP": {}}'}\n`)
      socket.on('data', (data) => {
        const { execute } = JSON.parse(String(data)) as { execute: string }
        const answer = execute === 'qmp_capabilities' ? '{"return": {}}' : lines[execute]
        if (answer === 'close') socket.destroy()
        else if (answer !== undefined) socket.write(`{"event": "RESUME"}\n${answer}\n`)
      })
    })
    await new Promise<void>((done) => server.listen(path, done))
    try {
      await work(path)
    } finally {
      server.close()
    }
  }

  test('is asked, over events in between', async () => {
    await withMonitor({ 'query-status': '{"return": {"status": "running"}}' }, async (path) => {
      expect(await askMonitor(path, 'query-status')).toEqual({ status: 'running' })
    })
  })

  test.each([
    ['refuses', { quit: '{"error": {"class": "X", "desc": "not now"}}' }, /not now/],
    ['speaks no JSON', { quit: 'hello' }, /JSON/],
    ['closes', { quit: 'close' }, /closed|ECONNRESET/],
    ['says nothing', {}, /no answer in time/],
    ['has another client, and does not greet', { greeting: '' }, /its greeting/],
  ])('that %s is told', async (_, lines, why) => {
    await withMonitor(lines, async (path) => {
      const asking = askMonitor(path, 'quit', 200)
      await expect(asking).rejects.toMatchObject({ code: 'E_QMP' })
      await expect(asking).rejects.toThrow(why)
    })
  })

  test('that is not there is told', async () => {
    await expect(askMonitor(join(folder, 'nope'), 'quit')).rejects.toMatchObject({ code: 'E_QMP' })
  })

  test('has a path that a socket can have', () => {
    expect(monitorPath({ folder: '/s/m', uuid: 'u' })).toBe('/s/m/monitor.sock')
    const path = monitorPath({ folder: `/${'x'.repeat(120)}`, uuid: 'u' })
    expect(path.length).toBeLessThan(104)
    expect(path).toMatch(/\/u\.sock$/)
  })
})

describe('the process of a machine', () => {
  const uuid = '74736d61-6368-896e-a000-00000000abcd'

  test('is told by its name and its UUID, and killed only while it is that very process', async () => {
    const other = spawn('sh', ['-c', 'sleep 60; true', '-uuid', uuid], { stdio: 'ignore' })
    expect(await findVmProcess(uuid)).toBeUndefined()
    const vm = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', '-uuid', uuid], {
      argv0: '/usr/bin/qemu-system-test',
      stdio: 'ignore',
    })
    const exit = new Promise((done) => vm.once('exit', (_, signal) => done(signal)))
    try {
      await expect.poll(() => findVmProcess(uuid), { timeout: 5_000 }).toMatchObject({ pid: vm.pid })
      const found = (await findVmProcess(uuid))!
      expect(await killVmProcess(uuid, { ...found, startTime: '1' })).toBe(false)
      expect(await killVmProcess(uuid, { ...found, pid: other.pid! })).toBe(false)
      expect(await killVmProcess(uuid, found)).toBe(true)
      expect(await exit).toBe('SIGKILL')
      expect(await findVmProcess(uuid, found)).toBeUndefined()
    } finally {
      vm.kill('SIGKILL')
      other.kill('SIGKILL')
    }
  })

  test("is found in macOS's list of processes", () => {
    const text = `    1 Tue Nov  3 09:14:05 2026 /sbin/launchd
  411 Tue Nov 24 19:04:05 2026 grep -uuid ${uuid}
  412 Tue Nov 24 19:04:06 2026 /opt/homebrew/bin/qemu-system-aarch64 -name tsmachine-m1 -uuid ${uuid} -nodefaults
`
    expect(parsePs(text, uuid)).toEqual({ pid: 412, startTime: 'Tue Nov 24 19:04:06 2026' })
    expect(parsePs(text, 'other')).toBeUndefined()
  })
})

test('an image that reads other files is refused', () => {
  const refuse = (why: string) => new Error(why)
  const info = { format: 'qcow2', 'virtual-size': 1 }
  expect(parseImageInfo(JSON.stringify(info), refuse)).toEqual({ format: 'qcow2', virtualBytes: 1 })
  for (const more of [
    { 'backing-filename': '/etc/shadow' },
    { 'format-specific': { data: { 'data-file': '/etc/shadow' } } },
    { format: undefined },
  ]) {
    expect(() => parseImageInfo(JSON.stringify({ ...info, ...more }), refuse)).toThrow()
  }
})

describe('the accelerator', () => {
  test('is one that there is', () => {
    expect(parseAccelerator('kvm')).toBe('kvm')
    expect(() => parseAccelerator('xen')).toThrow(expect.objectContaining({ code: 'E_OPTION' }))
  })

  test('of another architecture is software', async () => {
    const other = process.arch === 'x64' ? 'arm64' : 'x64'
    expect(await chooseAccelerator('/nope', other, undefined)).toBe('tcg')
    await expect(chooseAccelerator('/nope', other, 'kvm')).rejects.toMatchObject({ code: 'E_ACCELERATOR' })
  })

  for (const [arch, emulator] of [
    ['x64', 'qemu-system-x86_64'],
    ['arm64', 'qemu-system-aarch64'],
  ] as const) {
    const reason = which(emulator) ? undefined : `needs ${emulator}`
    test.skipIf(reason)(titled(`is found by a guest that ends, on ${arch}`, reason), async () => {
      expect(await whyNot(which(emulator)!, arch, 'tcg')).toBeUndefined()
      expect(await whyNot(which(emulator)!, arch, 'hvf')).toBeTruthy()
    })
  }
})
