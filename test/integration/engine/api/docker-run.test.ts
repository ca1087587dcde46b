import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'
import { Terminal } from '../../../support/terminal.ts'

describeDaemon('docker run', { programs: ['script'] }, (daemon) => {
  const run = (...args: string[]) => daemon.docker(['run', '--rm', ...args])
  const remaining = () => daemon.dockerOk('ps', '-aq')

  it('prints what the program prints, stream by stream, and removes it with --rm', async () => {
    expect(await run('busybox', 'echo', 'hi')).toEqual({ code: 0, stdout: 'hi\n', stderr: '' })
    const both = await run('busybox', 'sh', '-c', 'echo out; echo err >&2')
    expect(both).toEqual({ code: 0, stdout: 'out\n', stderr: 'err\n' })
    expect(await remaining()).toBe('')
  })

  it('ends with the exit code of the program, or 128 and its signal', async () => {
    expect((await run('busybox', 'sh', '-c', 'exit 42')).code).toBe(42)
    expect((await run('busybox', 'sh', '-c', 'sleep 9 & kill -9 $!; wait $!')).code).toBe(137)
  })

  it('ends with 127 for a missing program, 126 for what is none, 125 for what the engine refuses', async () => {
    const missing = await run('busybox', 'no-such-program')
    expect(missing.code).toBe(127)
    expect(missing.stderr).toMatch(/exec: "no-such-program": executable file not found in \$PATH/)
    const noPath = await run('busybox', '/no/such')
    expect([noPath.code, noPath.stderr]).toEqual([127, expect.stringMatching(/no such file or directory/)])
    const noProgram = await run('busybox', '/etc/passwd')
    expect([noProgram.code, noProgram.stderr]).toEqual([126, expect.stringMatching(/permission denied/)])
    const folder = await run('busybox', '/etc')
    expect(folder.code).toBe(126)
    const refused = await run('--memory', '1m', 'busybox', 'true')
    expect([refused.code, refused.stderr]).toEqual([
      125,
      expect.stringMatching(/Minimum memory limit allowed is 6MB/),
    ])
    const noImage = await run('no-such-image', 'true')
    expect([noImage.code, noImage.stderr]).toEqual([
      125,
      expect.stringMatching(/Unable to find image 'no-such-image:latest' locally/),
    ])
    expect(await remaining()).toBe('')
  })

  it('passes its input on and ends it', async () => {
    const input = 'some words\n'.repeat(300_000)
    const counted = await daemon.docker(['run', '--rm', '-i', 'busybox', 'md5sum'], { input })
    expect(counted.stdout).toBe(`${createHash('md5').update(input).digest('hex')}  -\n`)
  })

  it('loses nothing of a large output', async () => {
    const { stdout } = await run('busybox', 'seq', '400000')
    expect(stdout.length).toBe(2688895)
    expect(stdout.endsWith('\n399999\n400000\n')).toBe(true)
  })

  it('gives a terminal of the size of the own one, with input, echo, signals and the exit code', async () => {
    const terminal = new Terminal(daemon, 'stty rows 33 cols 111; exec docker run --rm -it busybox sh')
    await terminal.shows('/ # ')
    terminal.type('stty size; tty; echo $TERM\n')
    await terminal.shows('33 111\r\n/dev/pts/0\r\nxterm\r\n')
    terminal.type("echo rea''dy; sleep 60\n")
    await terminal.shows('ready\r\n')
    // The terminal turns the key into a signal for the program in front.
    terminal.type('\x03')
    await terminal.shows('^C\r\n/ # ')
    terminal.type('exit 12\n')
    expect(await terminal.ended).toBe(12)
  })

  it('leaves a terminal by ctrl-p ctrl-q and comes back by attach', async () => {
    const first = new Terminal(daemon, 'exec docker run --name left -it busybox sh')
    await first.shows('/ # ')
    first.type('\x10\x11')
    expect(await first.ended).toBe(0)
    expect(await daemon.dockerOk('ps', '-f', 'name=left', '--format', '{{.Names}}')).toBe('left')
    const second = new Terminal(daemon, 'exec docker attach left')
    second.type('echo $((6 * 7))\n')
    await second.shows('42\r\n')
    second.type('exit 5\n')
    expect(await second.ended).toBe(5)
    await daemon.dockerOk('rm', 'left')
  })

  it('sends signals on to the program', async () => {
    const args = [
      '-H',
      `unix://${daemon.socket}`,
      'run',
      '--rm',
      '--name',
      'signalled',
      'busybox',
      'sh',
      '-c',
    ]
    const child = spawn(
      'docker',
      [...args, 'trap "exit 77" TERM; echo ready; while :; do sleep 0.05; done'],
      {
        env: { ...process.env, DOCKER_CONFIG: daemon.folder },
      },
    )
    const ended = new Promise((resolve) => child.once('exit', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.kill('SIGTERM')
    expect(await ended).toBe(77)
  })

  it('sets environment, working folder, user, host name, labels and entrypoint', async () => {
    const script = 'echo $WORD; pwd; id -u; id -g; hostname; echo $HOME'
    const flags = ['-e', 'WORD=said', '-w', '/made/here', '-u', 'web', '-h', 'box', '--entrypoint', 'sh']
    const { stdout, stderr } = await run(...flags, 'busybox', '-c', script)
    expect(stdout + stderr).toBe('said\n/made/here\n1000\n1000\nbox\n/home/web\n')
  })

  it('binds folders, mounts volumes that keep their files, and takes the root read-only', async () => {
    const bind = await run(
      '-v',
      `${daemon.folder}:/host:ro`,
      'busybox',
      'sh',
      '-c',
      'ls /host; touch /host/x',
    )
    expect(bind.stdout).toContain('docker.sock')
    expect(bind.stderr).toMatch(/Read-only file system/)
    expect((await run('-v', 'kept:/kept', 'busybox', 'sh', '-c', 'echo there > /kept/file')).code).toBe(0)
    expect((await run('-v', 'kept:/kept', 'busybox', 'cat', '/kept/file')).stdout).toBe('there\n')
    await daemon.dockerOk('volume', 'rm', 'kept')
    const sealed = await run('--read-only', '--tmpfs', '/t', 'busybox', 'sh', '-c', 'touch /t/x && touch /x')
    expect([sealed.code, sealed.stderr]).toEqual([1, expect.stringMatching(/\/x: Read-only file system/)])
  })

  it('publishes a port with -d -p, tells it, and serves on it', async () => {
    const script = 'mkdir /www; echo served > /www/index.html; exec httpd -f -p 80 -h /www'
    await daemon.dockerOk('run', '-d', '--name', 'web', '-p', '127.0.0.1::80', 'busybox', 'sh', '-c', script)
    const address = await daemon.dockerOk('port', 'web', '80/tcp')
    expect(address).toMatch(/^127\.0\.0\.1:\d+$/)
    const page = await waitFor(
      'the page',
      () =>
        fetch(`http://${address}/`).then(
          (answer) => answer.text(),
          () => undefined,
        ),
      { timeoutMs: 5000 },
    )
    expect(page).toBe('served\n')
    expect(await daemon.dockerOk('ps', '-f', 'name=web', '--format', '{{.Ports}}')).toBe(`${address}->80/tcp`)
    const taken = await daemon.docker(['run', '--name', 'second', '-p', `${address}:80`, 'busybox', 'true'])
    expect([taken.code, taken.stderr]).toEqual([125, expect.stringMatching(/port is already allocated/)])
    await daemon.dockerOk('rm', '-f', 'web', 'second')
    await expect(fetch(`http://${address}/`)).rejects.toThrow()
  })
})
