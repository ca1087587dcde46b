import { readdirSync, readlinkSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { startTimeOf } from '../../../../src/engine/kernel/process.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'

interface State {
  Status: string
  Running: boolean
  Pid: number
  ExitCode: number
  StartedAt: string
  FinishedAt: string
}

/** Undefined where it was closed while we looked. */
function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

describeDaemon('the life of a container', {}, (daemon) => {
  const ok = (...args: string[]) => daemon.dockerOk(...args)
  const state = async (name: string) =>
    (await daemon.api('GET', `/containers/${name}/json`)).json().State as State
  const reaches = (name: string, wanted: (state: State) => boolean) =>
    waitFor(`${name} to change`, async () => (wanted(await state(name)) ? true : undefined), {
      timeoutMs: 10_000,
    })
  const says = (name: string, words: string) =>
    waitFor(
      `${name} to say ${words}`,
      async () => ((await ok('logs', name)).includes(words) ? true : undefined),
      {
        timeoutMs: 10_000,
      },
    )
  const events = async (name: string) => {
    const until = (Date.now() / 1000).toFixed(3)
    const filters = encodeURIComponent(JSON.stringify({ container: [name] }))
    const { text } = await daemon.api('GET', `/events?since=1&until=${until}&filters=${filters}`)
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { Action: string }).Action)
  }

  it('goes from created over running to exited, told by inspect, events and wait', async () => {
    const id = await ok(
      'create',
      '--name',
      'life',
      '-l',
      'tier=web',
      'busybox',
      'sh',
      '-c',
      'sleep 0.3; exit 4',
    )
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    expect(await state('life')).toMatchObject({ Status: 'created', Running: false, Pid: 0 })
    const waiting = ok('wait', 'life')
    await ok('start', 'life')
    const running = await state('life')
    expect(running).toMatchObject({ Status: 'running', Running: true })
    expect(startTimeOf(running.Pid)).toBeDefined()
    expect(await ok('wait', 'life')).toBe('4')
    // One that was not yet running had nothing to wait for.
    expect(await waiting).toMatch(/^[04]$/)
    const after = await state('life')
    expect(after).toMatchObject({ Status: 'exited', Running: false, Pid: 0, ExitCode: 4 })
    expect(Date.parse(after.FinishedAt)).toBeGreaterThan(Date.parse(after.StartedAt))
    expect(await events('life')).toEqual(['create', 'start', 'die'])
    await ok('rm', 'life')
    expect(await events('life')).toEqual(['create', 'start', 'die', 'destroy'])
    expect((await daemon.docker(['inspect', 'life'])).code).toBe(1)
  })

  it('is inspected with what was asked for and what the image adds', async () => {
    const flags = [
      '-e',
      'A=1',
      '-l',
      'k=v',
      '-w',
      '/tmp',
      '-m',
      '64m',
      '--restart',
      'on-failure:3',
      '-p',
      '127.0.0.1:0:80',
    ]
    await ok('create', '--name', 'seen', '-h', 'box', ...flags, 'busybox', 'sleep', '1')
    const seen = (await daemon.api('GET', '/containers/seen/json')).json()
    expect(seen).toMatchObject({
      Name: '/seen',
      Path: 'sleep',
      Args: ['1'],
      RestartCount: 0,
      Config: {
        Hostname: 'box',
        Env: ['A=1', 'PATH=/usr/bin:/bin'],
        Labels: { k: 'v' },
        WorkingDir: '/tmp',
        Image: 'busybox',
      },
      HostConfig: { Memory: 64 << 20, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
      Image: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    })
    await ok('rm', 'seen')
  })

  it('is listed as docker ps shows it, by state, name, label, ancestor, limit and exit code', async () => {
    await ok('run', '-d', '--name', 'up-1', '-l', 'tier=web', 'busybox', 'sleep', '60')
    const done = await daemon.docker([
      'run',
      '--name',
      'done-1',
      '-l',
      'tier=db',
      'busybox',
      'sh',
      '-c',
      'exit 3',
    ])
    expect(done).toEqual({ code: 3, stdout: '', stderr: '' })
    await ok('create', '--name', 'new-1', 'busybox', 'true')
    const [head, row, ...rest] = (await ok('ps')).split('\n')
    expect(head).toMatch(/^CONTAINER ID +IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$/)
    expect(row).toMatch(/^[0-9a-f]{12} +busybox +"sleep 60" +.* ago +Up .*econds? +up-1$/)
    expect(rest).toEqual([])
    const names = async (...args: string[]) =>
      (await ok('ps', '--format', '{{.Names}}', ...args)).split('\n').filter(Boolean)
    expect(await names('-a')).toEqual(['new-1', 'done-1', 'up-1'])
    expect(await names('-n', '2')).toEqual(['new-1', 'done-1'])
    expect(await names('-f', 'status=created')).toEqual(['new-1'])
    expect(await names('-f', 'exited=3')).toEqual(['done-1'])
    expect(await names('-a', '-f', 'label=tier')).toEqual(['done-1', 'up-1'])
    expect(await names('-a', '-f', 'label=tier=web', '-f', 'name=up')).toEqual(['up-1'])
    expect(await names('-a', '-f', 'ancestor=busybox', '-f', 'before=done-1')).toEqual(['up-1'])
    expect(await ok('ps', '-a', '--format', '{{.Status}}', '-f', 'name=done-1')).toMatch(
      /^Exited \(3\) .* ago$/,
    )
    await ok('rm', '-f', 'up-1', 'done-1', 'new-1')
  })

  it('is found by its name, its id, and the beginning of its id', async () => {
    const id = await ok('create', '--name', 'found', 'busybox', 'true')
    for (const ref of ['found', '/found', id, id.slice(0, 12), id.slice(0, 4)]) {
      expect((await daemon.api('GET', `/containers/${encodeURIComponent(ref)}/json`)).json().Id).toBe(id)
    }
    await ok('rename', 'found', 'renamed')
    expect((await daemon.api('GET', '/containers/found/json')).code).toBe(404)
    await ok('rm', 'renamed')
  })

  it('stops by its own signal, then by SIGKILL when its time is over', async () => {
    const wait = 'echo ready; while :; do sleep 0.05; done'
    await ok('run', '-d', '--name', 'polite', 'busybox', 'sh', '-c', `trap 'exit 5' TERM; ${wait}`)
    await ok(
      'run',
      '-d',
      '--name',
      'usr1',
      '--stop-signal',
      'USR1',
      'busybox',
      'sh',
      '-c',
      `trap 'exit 6' USR1; ${wait}`,
    )
    await ok('run', '-d', '--name', 'deaf', 'busybox', 'sleep', '60')
    for (const name of ['polite', 'usr1']) await says(name, 'ready')
    await ok('stop', 'polite', 'usr1')
    await ok('stop', '-t', '1', 'deaf')
    expect(await ok('inspect', '-f', '{{.State.ExitCode}}', 'polite', 'usr1', 'deaf')).toBe('5\n6\n137')
    await ok('rm', 'polite', 'usr1', 'deaf')
  })

  it('gets any signal by kill, and ends by the one that kill sends by itself', async () => {
    const script = "trap 'echo got HUP' HUP; echo ready; while :; do sleep 0.05; done"
    await ok('run', '-d', '--name', 'target', 'busybox', 'sh', '-c', script)
    await says('target', 'ready')
    const following = daemon.docker(['logs', '-f', 'target'])
    await ok('kill', '-s', 'HUP', 'target')
    await ok('kill', '-s', 'WINCH', 'target')
    expect((await state('target')).Status).toBe('running')
    await says('target', 'got HUP')
    await ok('kill', 'target')
    expect((await following).stdout).toBe('ready\ngot HUP\n')
    expect(await ok('wait', 'target')).toBe('137')
    await ok('rm', 'target')
  })

  it('pauses and goes on', async () => {
    await ok('run', '-d', '--name', 'frozen', 'busybox', 'sh', '-c', 'while :; do echo x; sleep 0.01; done')
    await ok('pause', 'frozen')
    expect((await state('frozen')).Status).toBe('paused')
    const before = await ok('logs', 'frozen')
    await new Promise((resolve) => setTimeout(resolve, 150))
    expect(await ok('logs', 'frozen')).toBe(before)
    await ok('unpause', 'frozen')
    expect((await state('frozen')).Status).toBe('running')
    await ok('rm', '-f', 'frozen')
  })

  it('is started again by its policy until it succeeds, and not once it was stopped', async () => {
    const script = 'echo x >> /tries; [ $(wc -l < /tries) -ge 3 ]'
    await ok('run', '-d', '--name', 'tries', '--restart', 'on-failure', 'busybox', 'sh', '-c', script)
    // As Docker's, a wait is over with the first run: the restarts are looked for.
    expect(await ok('wait', 'tries')).toBe('1')
    await reaches('tries', ({ Status, ExitCode }) => Status === 'exited' && ExitCode === 0)
    expect(await ok('inspect', '-f', '{{.RestartCount}}', 'tries')).toBe('2')
    await ok('run', '-d', '--name', 'always', '--restart', 'always', 'busybox', 'sleep', '60')
    const { Pid } = await state('always')
    process.kill(Pid, 'SIGKILL')
    await reaches('always', (now) => now.Status === 'running' && now.Pid !== Pid)
    await ok('stop', '-t', '0', 'always')
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect((await state('always')).Status).toBe('exited')
    await ok('rm', 'tries', 'always')
  })

  it('keeps its files from one run to the next and takes its anonymous volumes along', async () => {
    await ok(
      'run',
      '--name',
      'files',
      '-v',
      '/data',
      'busybox',
      'sh',
      '-c',
      'echo x >> /count; wc -l < /count',
    )
    expect(await ok('start', '-a', 'files')).toBe('2')
    expect((await ok('volume', 'ls', '-q')).split('\n')).toHaveLength(1)
    await ok('rm', '-v', 'files')
    expect(await ok('volume', 'ls', '-q')).toBe('')
  })

  it('starts and ends side by side with many others', async () => {
    const runs = Array.from({ length: 12 }, (_, i) =>
      daemon.docker(['run', '--rm', 'busybox', 'sh', '-c', `echo ${i}; exit ${i}`]),
    )
    const results = await Promise.all(runs)
    expect(results.map(({ code, stdout }) => [code, stdout])).toEqual(results.map((_, i) => [i, `${i}\n`]))
  })

  it('leaves the daemon no descriptor, however it ran', async () => {
    const once = async () => {
      await ok('run', '--rm', 'busybox', 'true')
      await ok('run', '--rm', '-t', 'busybox', 'true')
      await daemon.docker(['run', '--rm', '-i', 'busybox', 'cat'], { input: 'x' })
      await daemon.docker(['run', '--rm', 'busybox', 'no-such-program'])
      const id = await ok('run', '-d', 'busybox', 'sleep', '60')
      await ok('exec', id, 'true')
      await ok('exec', '-t', id, 'true')
      await daemon.docker(['exec', id, 'no-such-program'])
      await ok('rm', '-f', id)
    }
    /** Kinds of open files; the sockets of clients come and go by themselves. */
    const descriptors = () =>
      readdirSync(`/proc/${daemon.pid}/fd`)
        .flatMap((fd) => linkOf(`/proc/${daemon.pid}/fd/${fd}`) ?? [])
        .filter((name) => !name.startsWith('socket:'))
        .map((name) => name.replace(/:\[\d+\]$/, ''))
        .sort()
    await once()
    const before = descriptors()
    for (let i = 0; i < 3; i++) await once()
    // Fewer may be left: a thread that was there before may be gone.
    const added = () => {
      const known = [...before]
      return descriptors().filter((name) => {
        const at = known.indexOf(name)
        if (at !== -1) known.splice(at, 1)
        return at === -1
      })
    }
    await vi.waitFor(() => expect(added()).toEqual([]), { timeout: 5000 })
  })
})
