import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lockEngine } from '../../../src/daemon/lock.ts'
import { missing, titled } from '../../support/needs.ts'

const reason = missing()

describe.skipIf(reason)(titled('the lock of a data root', reason), () => {
  let path = ''
  beforeAll(() => {
    path = join(mkdtempSync(join(tmpdir(), 'tsmachine-lock-')), 'engine.lock')
  })
  afterAll(() => rmSync(join(path, '..'), { recursive: true }))

  it('has one holder, who is named to the others, until it lets go', () => {
    const release = lockEngine(path)
    expect(() => lockEngine(path)).toThrow(`another engine (pid ${process.pid}) has this data root: ${path}`)
    release()
    expect(existsSync(path)).toBe(false)
    lockEngine(path)()
  })

  it('is free at once when its holder was killed, whatever is in the file', async () => {
    const module = new URL('../../../src/daemon/lock.ts', import.meta.url).pathname
    const script = `(await import(${JSON.stringify(module)})).lockEngine(process.argv[1]); console.log('held'); setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    expect(() => lockEngine(path)).toThrow(`(pid ${holder.pid})`)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    writeFileSync(path, '{ half')
    lockEngine(path)()
  })
})
