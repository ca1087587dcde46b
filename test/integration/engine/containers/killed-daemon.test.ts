import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { processesNamed, startTimeOf } from '../../../../src/engine/kernel/process.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'

const kills = 20

/** Writes numbered lines and, after each, the same words, in bursts, until /stop is there; the last line counts. */
const writer = `BEGIN {
  while ((getline line < "/stop") < 0) {
    for (i = 0; i < 1000; i++) { print n++; print "again and again" }
    fflush(); system("sleep 0.08")
  }
  print "lines " n
  exit 5
}`

function expectedOutput(count: number): string {
  let text = ''
  for (let i = 0; i < count; i++) text += `${i}\nagain and again\n`
  return `${text}lines ${count}\n`
}

describeDaemon('a daemon that is killed', {}, (daemon) => {
  const state = async (name: string) => {
    const { State } = (await daemon.api('GET', `/containers/${name}/json`)).json() as {
      State: { Status: string; ExitCode: number; Pid: number; FinishedAt: string; StartedAt: string }
    }
    return State
  }
  const output = async (name: string) => {
    const { stdout, stderr } = await daemon.docker(['logs', name])
    return stdout + stderr
  }

  it('loses no line, doubles none, and knows every exit code, twenty times over', async () => {
    const writers = ['quick-1', 'quick-2', 'quick-3']
    const began = performance.now()
    for (const name of writers) await daemon.dockerOk('run', '-d', '--name', name, 'busybox', 'awk', writer)
    const pids = await Promise.all(writers.map(async (name) => (await state(name)).Pid))
    for (let round = 0; round < kills; round++) {
      // One ends while no daemon is there, with words that nobody has read by then.
      const script = `echo begun; echo oops >&2; sleep 0.1; seq 1000; exit ${round + 1}`
      await daemon.dockerOk('run', '-d', '--name', `short-${round}`, 'busybox', 'sh', '-c', script)
      await daemon.stop('SIGKILL')
      await daemon.start()
    }
    expect(await Promise.all(writers.map(async (name) => (await state(name)).Pid))).toEqual(pids)
    for (const name of writers) await daemon.dockerOk('exec', name, 'touch', '/stop')
    expect(await daemon.dockerOk('wait', ...writers)).toBe('5\n5\n5')
    const seconds = (performance.now() - began) / 1000

    let lines = 0
    for (const name of writers) {
      const text = await output(name)
      const count = Number(/lines (\d+)\n$/.exec(text)?.[1])
      // Not by toBe, which would print megabytes.
      expect(text === expectedOutput(count), `${name} wrote exactly ${count} lines`).toBe(true)
      lines += 2 * count
    }
    console.log(`${lines} lines, ${Math.round(lines / seconds)} a second, over ${kills} kills`)
    const numbers = Array.from({ length: 1000 }, (_, i) => `${i + 1}\n`).join('')
    for (let round = 0; round < kills; round++) {
      expect(await state(`short-${round}`)).toMatchObject({ Status: 'exited', ExitCode: round + 1 })
      const { stdout, stderr } = await daemon.docker(['logs', `short-${round}`])
      expect([stdout, stderr]).toEqual([`begun\n${numbers}`, 'oops\n'])
    }
  })

  const restart = async (whileAway: () => Promise<unknown> | unknown) => {
    await daemon.stop('SIGKILL')
    await whileAway()
    await daemon.start()
  }
  const keeperOf = (id: string) =>
    processesNamed('tshost-keeper').find(({ args }) => args[1] === daemon.engineId && args[2] === id)?.pid
  const keeperGone = (id: string) =>
    waitFor('the keeper to end', () => (keeperOf(id) === undefined ? true : undefined), { timeoutMs: 5000 })

  it('has the words of a terminal that ended meanwhile, and lets its keeper go', async () => {
    const id = await daemon.dockerOk('run', '-dt', 'busybox', 'sh', '-c', 'sleep 0.2; tty; exit 9')
    await restart(() => waitFor('its end', () => endedMeanwhile(id), { timeoutMs: 5000 }))
    expect(await state(id)).toMatchObject({ Status: 'exited', ExitCode: 9 })
    expect(await output(id)).toBe('/dev/pts/0\r\n')
    await keeperGone(id)
  })

  it('still feeds the input of a container that an earlier daemon started', async () => {
    const id = await daemon.dockerOk('run', '-di', 'busybox', 'sh', '-c', 'read a; read b; echo "got $a $b"')
    await restart(() => undefined)
    const attached = await daemon.docker(['attach', id], { input: 'one\ntwo\n' })
    expect(attached).toMatchObject({ code: 0, stdout: 'got one two\n' })
  })

  it('sees the end of a container whose keeper was killed, with a code that says it is unknown', async () => {
    const script = 'echo before; read go; echo after'
    const id = await daemon.dockerOk('run', '-di', 'busybox', 'sh', '-c', script)
    process.kill(keeperOf(id)!, 'SIGKILL')
    await keeperGone(id)
    expect(await state(id)).toMatchObject({ Status: 'running' })
    expect(await daemon.docker(['attach', id], { input: 'go\n' })).toMatchObject({
      code: 255,
      stdout: 'after\n',
    })
    expect(await daemon.dockerOk('wait', id)).toBe('255')
    expect(await output(id)).toBe('before\nafter\n')
  })

  it('starts although a keeper was killed while it was away', async () => {
    const id = await daemon.dockerOk('run', '-d', 'busybox', 'sleep', '60')
    await restart(() => process.kill(keeperOf(id)!, 'SIGKILL'))
    expect(await state(id)).toMatchObject({ Status: 'running' })
    await daemon.dockerOk('kill', id)
    expect(await daemon.dockerOk('wait', id)).toBe('255')
  })

  it('ends at its next start what no record tells of', async () => {
    const id = await daemon.dockerOk('run', '-d', 'busybox', 'sleep', '60')
    const { Pid } = await state(id)
    await restart(() => rmSync(`${daemon.dataRoot}/containers/${id}`, { recursive: true }))
    await keeperGone(id)
    await waitFor('its process to end', () => (startTimeOf(Pid) === undefined ? true : undefined), {
      timeoutMs: 5000,
    })
    expect((await daemon.leftovers()).filter((line) => line.includes(id))).toEqual([])
  })

  it('leaves a container alone that another version of it has written down', async () => {
    const id = await daemon.dockerOk('run', '-d', 'busybox', 'sleep', '60')
    const { Pid } = await state(id)
    const path = `${daemon.dataRoot}/containers/${id}/container.json`
    const own = readFileSync(path, 'utf8')
    await restart(() => writeFileSync(path, JSON.stringify({ ...JSON.parse(own), version: 99 })))
    expect((await daemon.api('GET', `/containers/${id}/json`)).code).toBe(404)
    await restart(() => writeFileSync(path, own))
    expect(await state(id)).toMatchObject({ Status: 'running', Pid })
    await daemon.dockerOk('rm', '-f', id)
  })

  it('destroys a container of --rm that ended while it was away', async () => {
    const id = await daemon.dockerOk('run', '-d', '--rm', 'busybox', 'sleep', '0.2')
    await restart(() => waitFor('its end', () => endedMeanwhile(id), { timeoutMs: 5000 }))
    await waitFor(
      'its removal',
      async () => ((await daemon.docker(['inspect', id])).code === 1 ? true : undefined),
      {
        timeoutMs: 5000,
      },
    )
  })

  /** With no daemon to ask: once its process is gone only the keeper is left of it. */
  function endedMeanwhile(id: string): true | undefined {
    const pids = readFileSync(`/sys/fs/cgroup/pids/tshost-${daemon.engineId}/${id}/cgroup.procs`, 'utf8')
    return pids === '' ? true : undefined
  }
})
