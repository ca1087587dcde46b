import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { ContainerRecord } from '../../../../src/engine/containers/record.ts'
import { processesNamed } from '../../../../src/engine/kernel/process.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'

describeDaemon('a daemon that finds containers it can not make sense of', {}, (daemon) => {
  const folder = (id: string) => join(daemon.dataRoot, 'containers', id)
  const change = (id: string, edit: (record: ContainerRecord) => void) => {
    const path = join(folder(id), 'container.json')
    const record = JSON.parse(readFileSync(path, 'utf8')) as ContainerRecord
    edit(record)
    writeFileSync(path, JSON.stringify(record))
  }
  const state = async (id: string) =>
    ((await daemon.api('GET', `/containers/${id}/json`)).json() as { State: object }).State

  it('keeps those of another version, says so, and serves the others', async () => {
    const newer = await daemon.dockerOk('create', 'busybox', 'true')
    const broken = await daemon.dockerOk('create', 'busybox', 'true')
    const fine = await daemon.dockerOk('run', '-d', 'busybox', 'sleep', '600')
    await daemon.stop()
    change(newer, (record) => Object.assign(record, { version: 99 }))
    writeFileSync(join(folder(broken), 'container.json'), '{ half')
    // What a crash within a create leaves.
    const empty = folder('e'.repeat(64))
    mkdirSync(empty)
    await daemon.start()
    expect(await daemon.dockerOk('ps', '-aq', '--no-trunc')).toBe(fine)
    expect(await state(fine)).toMatchObject({ Running: true })
    expect(existsSync(join(folder(newer), 'container.json'))).toBe(true)
    expect(existsSync(folder(broken))).toBe(true)
    expect(existsSync(empty)).toBe(false)
    const log = readFileSync(daemon.logPath, 'utf8')
    expect(log).toContain('it has version 99, this engine reads 1')
    await daemon.dockerOk('rm', '-f', fine)
    await daemon.stop()
    for (const id of [newer, broken]) rmSync(folder(id), { recursive: true })
    await daemon.start()
    expect(readdirSync(join(daemon.dataRoot, 'containers'))).toEqual([])
  })

  it('watches the end of one whose keeper can not hand over, and learns its code from the keeper', async () => {
    const script = 'until [ -e /go ]; do sleep 0.05; done; exit 9'
    const id = await daemon.dockerOk('run', '-d', 'busybox', 'sh', '-c', script)
    await daemon.stop('SIGKILL')
    change(id, (record) => Object.assign(record.process!, { version: 99 }))
    await daemon.start()
    expect(await state(id)).toMatchObject({ Running: true })
    await daemon.dockerOk('exec', id, 'touch', '/go')
    expect(await daemon.dockerOk('wait', id)).toBe('9')
    expect(processesNamed('tshost-keeper').filter(({ args }) => args.includes(id))).toEqual([])
    expect(readFileSync(daemon.logPath, 'utf8')).toContain("its keeper's streams can't be taken")
  })
})
