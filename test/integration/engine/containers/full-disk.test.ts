/** A container that has filled the engine's disk: it is the one that has to go, and can. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestDaemon } from '../../../support/daemon.ts'
import { endDaemon } from '../../../support/daemon-suite.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing('busybox', 'docker', 'ip', 'nft', 'mount')

describe.skipIf(reason)(titled('a full disk', reason), () => {
  let daemon: TestDaemon
  const filler = () => `${daemon.dataRoot}/filler`

  beforeEach(async () => {
    daemon = new TestDaemon()
    mkdirSync(daemon.dataRoot, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', daemon.dataRoot])
    await daemon.start()
    await daemon.loadBusybox()
  })
  afterEach(async () => {
    await daemon[Symbol.asyncDispose]()
    execFileSync('umount', [daemon.dataRoot])
    // The kernel takes the namespaces of many that end at once apart one after the other.
    const devices = async () => (await daemon.leftovers()).filter((line) => /^\d+: tse/.test(line))
    await expect.poll(devices, { timeout: 20_000 }).toEqual([])
    await endDaemon(daemon)
  })

  /** To the last byte: what is left of a page is not enough for a record. */
  function fill(): void {
    try {
      writeFileSync(filler(), Buffer.alloc(32 << 20))
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
    }
  }

  it('keeps no container from being killed, stopped and removed', async () => {
    // Each waits for a word before it writes without end.
    const loud = 'until [ -e /go ]; do sleep 0.1; done; yes'
    const names = ['killed', 'stopped', 'removed', 'ends']
    for (const name of names) await daemon.dockerOk('run', '-d', '--name', name, 'busybox', 'sh', '-c', loud)
    await daemon.dockerOk('run', '-d', '--rm', '--name', 'goes', 'busybox', 'sleep', '1000')
    for (const name of names) await daemon.dockerOk('exec', name, 'touch', '/go')
    fill()
    await sleep(1000)
    expect(await daemon.docker(['kill', 'killed'])).toMatchObject({ code: 0 })
    expect(await daemon.docker(['wait', 'killed'])).toMatchObject({ stdout: '137\n' })
    expect(await daemon.docker(['stop', '-t', '1', 'stopped'])).toMatchObject({ code: 0 })
    expect(await daemon.docker(['kill', 'goes'])).toMatchObject({ code: 0 })
    expect(await daemon.docker(['rm', '-f', 'removed'])).toMatchObject({ code: 0 })
    expect(await daemon.dockerOk('ps', '--format', '{{.Names}}')).toBe('ends')
    expect(await daemon.docker(['rm', 'killed', 'stopped'])).toMatchObject({ code: 0 })
  })

  it('is told in one clear line, and output that waits once', async () => {
    await daemon.dockerOk('run', '-d', '--name', 'loud', 'busybox', 'yes')
    fill()
    await sleep(2000)
    const waits = readFileSync(daemon.logPath, 'utf8').match(/output can not be stored/g)
    expect(waits).toHaveLength(1)
    for (const command of [
      ['network', 'create', 'more'],
      ['run', '--rm', 'busybox', 'true'],
    ]) {
      const { code, stderr } = await daemon.docker(command)
      expect(code).not.toBe(0)
      expect(stderr).toContain(`no space left on the disk of ${daemon.dataRoot}`)
      expect(stderr).not.toContain('ENOSPC')
    }
    rmSync(filler())
  })

  it('is caught up with: what was not saved is saved once there is space', async () => {
    await daemon.dockerOk('run', '-d', '--restart', 'always', '--name', 'idle', 'busybox', 'sleep', '1000')
    fill()
    await daemon.dockerOk('kill', 'idle')
    rmSync(filler())
    const id = await daemon.dockerOk('inspect', '-f', '{{.Id}}', 'idle')
    await expect
      .poll(() => JSON.parse(readFileSync(`${daemon.dataRoot}/containers/${id}/container.json`, 'utf8')), {
        timeout: 8000,
      })
      .toMatchObject({ stoppedByUser: true, state: { status: 'exited' } })
  })
})
