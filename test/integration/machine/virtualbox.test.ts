import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { censusOf, newFakeVirtualBox, readFake } from '../../support/fake-virtualbox.ts'
import { TestStorage } from '../../support/machine-storage.ts'

/** The command itself, with a VBoxManage in its PATH that behaves as the real one does; its guests never answer. */
describe('create --driver virtualbox', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-vboxmanage-'))
  const state = join(folder, 'state.json')
  const image = join(folder, 'image.raw')
  const storage = new TestStorage()
  const env = { PATH: `${folder}:${process.env.PATH}`, FAKE_VIRTUALBOX: state }
  const create = (more: NodeJS.ProcessEnv = {}) =>
    storage.run(['create', '-d', 'virtualbox', '--virtualbox-image', image, '--timeout', '1s', 'v1'], {
      env: { ...env, ...more },
    })
  const files = () => {
    const machines = join(storage.path, 'machines')
    return existsSync(machines) ? readdirSync(machines) : []
  }
  const reset = (box = newFakeVirtualBox()) => {
    rmSync(`${state}.log`, { force: true })
    writeFileSync(state, JSON.stringify(box))
  }

  beforeAll(() => {
    mkdirSync(folder, { recursive: true })
    writeFileSync(image, Buffer.alloc(1024))
    // This very node: another one in the PATH may not run TypeScript. The caller stays its parent.
    const fake = join(import.meta.dirname, '../../support/fake-vboxmanage.ts')
    const script = `#!/bin/sh\nexec '${process.execPath}' '${fake}' "$@"\n`
    writeFileSync(join(folder, 'VBoxManage'), script, { mode: 0o755 })
  })
  afterAll(async () => {
    await storage.release()
    rmSync(folder, { recursive: true })
  })

  test('takes everything back where the guest never lets us in', async () => {
    reset()
    const { code, stderr, stdout } = await create()
    expect(stderr).toMatch(/refuses SSH connections|no answer from|does not come up/)
    expect(code).toBe(1)
    expect(stdout).toContain('Make the virtual machine: changed')
    expect(censusOf(readFake(state))).toEqual([])
    expect(files()).toEqual([])
  })

  test('leaves nothing after a kill -9 by any of its calls, and an rm', { timeout: 120_000 }, async () => {
    for (const kill of ['5 after', '9 after', '23 after']) {
      reset()
      const { code } = await create({ FAKE_VIRTUALBOX_KILL: kill })
      expect(code, kill).toBe(null)
      expect(files(), kill).toEqual(['v1'])
      await storage.ok(['rm', '-y', 'v1'], { env })
      expect(censusOf(readFake(state)), kill).toEqual([])
      expect(files(), kill).toEqual([])
    }
  })

  test('refuses a VirtualBox without its kernel module, before anything is made', async () => {
    reset(newFakeVirtualBox({ hasModule: false }))
    const { code, stderr } = await create()
    expect(code).toBe(3)
    expect(stderr).toMatch(/VirtualBox runs no machine here: its kernel module is not loaded\n.*vboxconfig/)
    expect(files()).toEqual([])
  })

  test('says where VirtualBox is to be had, where there is none', async () => {
    const { code, stderr } = await create({ PATH: process.env.PATH })
    expect(code).toBe(3)
    expect(stderr).toMatch(/lacks VBoxManage/)
  })
})
