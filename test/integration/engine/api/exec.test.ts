import { beforeAll, expect, it } from 'vitest'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'
import { Terminal } from '../../../support/terminal.ts'

describeDaemon('docker exec', { programs: ['script'] }, (daemon) => {
  beforeAll(async () => {
    await daemon.dockerOk(
      'run',
      '-d',
      '--name',
      'box',
      '-m',
      '64m',
      '-e',
      'OWN=yes',
      'busybox',
      'sleep',
      '600',
    )
  })
  const reaches = (what: string, probe: () => Promise<boolean>) =>
    waitFor(what, async () => ((await probe()) ? true : undefined), { timeoutMs: 10_000 })
  const exec = (...args: string[]) => daemon.docker(['exec', ...args])

  it('runs a program inside, with its streams and its exit code', async () => {
    expect(await exec('box', 'sh', '-c', 'echo out; echo err >&2; exit 9')).toEqual({
      code: 9,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    expect((await exec('box', 'sh', '-c', 'kill -TERM $$')).code).toBe(143)
    expect((await exec('box', 'ps', '-o', 'args')).stdout).toBe('COMMAND\nsleep 600\nps -o args\n')
  })

  it('ends with 127 for a missing program and 126 for what is none', async () => {
    const missing = await exec('box', 'no-such')
    expect([missing.code, missing.stderr + missing.stdout]).toEqual([127, expect.stringMatching(/no-such/)])
    expect((await exec('box', '/etc/passwd')).code).toBe(126)
    expect((await exec('none', 'true')).code).toBe(1)
  })

  it('passes input on with -i, and its end', async () => {
    const input = 'all of it\n'.repeat(100_000)
    const { stdout } = await daemon.docker(['exec', '-i', 'box', 'cat'], { input })
    expect(stdout === input).toBe(true)
    expect((await daemon.docker(['exec', 'box', 'cat'], { input: 'not this' })).stdout).toBe('')
  })

  it('gives a terminal with -it, of the size of the own one', async () => {
    const terminal = new Terminal(daemon, 'stty rows 21 cols 77; exec docker exec -it box sh')
    await terminal.shows('/ # ')
    terminal.type('stty size; tty; echo $OWN\n')
    await terminal.shows('21 77\r\n/dev/pts/0\r\nyes\r\n')
    terminal.type('exit 8\n')
    expect(await terminal.ended).toBe(8)
  })

  it('takes another user, folder and environment', async () => {
    const flags = ['-u', 'web', '-w', '/tmp', '-e', 'MORE=1']
    const { stdout } = await exec(
      ...flags,
      'box',
      'sh',
      '-c',
      'id -un; pwd; echo $OWN $MORE; grep CapEff /proc/self/status',
    )
    expect(stdout).toMatch(/^web\n\/tmp\nyes 1\nCapEff:\s+0{16}\n$/)
  })

  it('stays in the container’s namespaces, cgroup, filter and capabilities', async () => {
    const script =
      'for n in mnt uts ipc pid net cgroup; do readlink /proc/PID/ns/$n; done; cat /proc/PID/cgroup'
    const of = async (pid: string) => (await exec('box', 'sh', '-c', script.replaceAll('PID', pid))).stdout
    expect(await of('self')).toBe(await of('1'))
    const { stdout } = await exec(
      'box',
      'grep',
      '-E',
      '^(CapBnd|Seccomp|SigIgn|SigBlk):',
      '/proc/self/status',
    )
    expect(stdout.replaceAll(/\s+/g, ' ')).toBe(
      'SigBlk: 0000000000000000 SigIgn: 0000000000000000 CapBnd: 00000000a80425fb Seccomp: 2 ',
    )
    expect((await exec('box', 'sh', '-c', 'ls -l /proc/self/fd | grep -c -- "->"')).stdout).toBe('3\n')
  })

  it('goes on without its client with -d, and is told by the API', async () => {
    expect(await exec('-d', 'box', 'sh', '-c', 'sleep 0.2; touch /made')).toMatchObject({
      code: 0,
      stdout: '',
    })
    await reaches('the file', async () => (await exec('box', 'ls', '/made')).code === 0)
    const made = await daemon.api('POST', '/containers/box/exec', {
      Cmd: ['sh', '-c', 'exit 6'],
      AttachStdout: true,
    })
    expect(made.code).toBe(201)
    const { Id } = made.json()
    expect((await daemon.api('GET', `/exec/${Id}/json`)).json()).toMatchObject({
      Running: false,
      ExitCode: null,
    })
    await daemon.api('POST', `/exec/${Id}/start`, { Detach: true })
    const told = async () => (await daemon.api('GET', `/exec/${Id}/json`)).json()
    await reaches('its end', async () => !(await told()).Running)
    expect(await told()).toMatchObject({ Running: false, ExitCode: 6 })
    expect((await daemon.api('POST', `/exec/${Id}/start`, {})).code).toBe(409)
  })

  it('ends with the container', async () => {
    await daemon.dockerOk('run', '-d', '--name', 'short', 'busybox', 'sleep', '60')
    const session = exec('short', 'sleep', '60')
    const sessions = async () => (await daemon.api('GET', '/containers/short/json')).json().ExecIDs
    await reaches('the session', async () => (await sessions()) !== null)
    await daemon.dockerOk('kill', 'short')
    expect((await session).code).toBe(137)
    await daemon.dockerOk('rm', 'short')
  })

  it('runs many sessions at once', async () => {
    const sessions = Array.from({ length: 10 }, (_, i) => exec('box', 'sh', '-c', `seq ${i} 2000; exit ${i}`))
    const results = await Promise.all(sessions)
    expect(results.map(({ code }) => code)).toEqual(results.map((_, i) => i))
    for (const [i, { stdout }] of results.entries()) expect(stdout.split('\n')).toHaveLength(2000 - i + 2)
  })
})
