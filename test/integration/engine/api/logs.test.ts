import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeDaemon } from '../../../support/daemon-suite.ts'

describeDaemon('the logs of a container', {}, (daemon) => {
  const logs = async (...args: string[]) => (await daemon.docker(['logs', ...args])).stdout
  /** From Docker's frames to what each stream said. */
  const unframe = (data: Buffer) => {
    const frames: [number, string][] = []
    for (let at = 0; at < data.length; ) {
      const size = data.readUInt32BE(at + 4)
      frames.push([data[at]!, data.subarray(at + 8, at + 8 + size).toString()])
      at += 8 + size
    }
    return frames
  }
  let agent: Agent
  const ask = (path: string) => request(`http://localhost/containers/${path}`, { dispatcher: agent })
  beforeAll(async () => {
    agent = new Agent({ connect: { socketPath: daemon.socket } })
    await daemon.dockerOk(
      'run',
      '--name',
      'ten',
      'busybox',
      'sh',
      '-c',
      'for i in $(seq 10); do echo line $i; sleep 0.02; done',
    )
    await daemon.docker([
      'run',
      '--name',
      'two',
      'busybox',
      'sh',
      '-c',
      'echo out; sleep 0.05; echo err >&2; sleep 0.05; printf end',
    ])
  })
  afterAll(async () => {
    await agent.close()
  })

  it('come whole, or the last of them', async () => {
    expect(await logs('ten')).toBe(Array.from({ length: 10 }, (_, i) => `line ${i + 1}\n`).join(''))
    expect(await logs('--tail', '2', 'ten')).toBe('line 9\nline 10\n')
    expect(await logs('--tail', '0', 'ten')).toBe('')
    expect(await logs('-n', '99', 'ten')).toMatch(/^line 1\n[\s\S]*line 10\n$/)
  })

  it('keep the streams apart and in order, with an unfinished line at the end', async () => {
    expect(await daemon.docker(['logs', 'two'])).toEqual({ code: 0, stdout: 'out\nend', stderr: 'err\n' })
    const { body } = await ask('two/logs?stdout=1&stderr=1')
    expect(unframe(Buffer.from(await body.arrayBuffer()))).toEqual([
      [1, 'out\n'],
      [2, 'err\n'],
      [1, 'end'],
    ])
    const only = await ask('two/logs?stderr=1')
    expect(unframe(Buffer.from(await only.body.arrayBuffer()))).toEqual([[2, 'err\n']])
  })

  it('have times of nanoseconds that rise, by which since and until choose', async () => {
    const lines = (await logs('-t', 'ten')).trim().split('\n')
    const times = lines.map((line) => line.split(' ', 1)[0]!)
    for (const time of times) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
    expect(times).toEqual(times.toSorted())
    expect(await logs('--since', times[7]!, 'ten')).toBe('line 8\nline 9\nline 10\n')
    // Lines that came at once have one time.
    const until = times.filter((time) => time <= times[1]!).length
    expect(until).toBeLessThan(10)
    expect((await logs('--until', times[1]!, 'ten')).split('\n')).toHaveLength(until + 1)
    expect(await logs('--since', times[3]!, '--until', times[5]!, '--tail', '2', 'ten')).toBe(
      'line 5\nline 6\n',
    )
    expect(await logs('--since', '1h', '--tail', '1', 'ten')).toBe('line 10\n')
  })

  it('are followed to the container’s end, from the last lines on', async () => {
    const script =
      'for i in 1 2 3; do echo early $i; done; read go; for i in 1 2 3; do echo late $i; sleep 0.05; done'
    await daemon.dockerOk('run', '-di', '--name', 'live', 'busybox', 'sh', '-c', script)
    // The head of an answer comes when its stream has begun.
    const following = await Promise.all(
      ['', '&tail=1', '&tail=0'].map((tail) => ask(`live/logs?stdout=1&follow=1${tail}`)),
    )
    await daemon.docker(['attach', 'live'], { input: 'go\n' })
    const [all, last, none] = await Promise.all(
      following.map(async ({ body }) =>
        unframe(Buffer.from(await body.arrayBuffer()))
          .map(([, text]) => text)
          .join(''),
      ),
    )
    const late = 'late 1\nlate 2\nlate 3\n'
    expect([all, last, none]).toEqual([`early 1\nearly 2\nearly 3\n${late}`, `early 3\n${late}`, late])
  })

  it('go on over restarts, and are raw for a terminal', async () => {
    await daemon.dockerOk('run', '-t', '--name', 'again', 'busybox', 'echo', 'once more')
    await daemon.dockerOk('start', '-a', 'again')
    const { body } = await ask('again/logs?stdout=1')
    expect(await body.text()).toBe('once more\r\nonce more\r\n')
  })

  it('follow a container that is removed meanwhile to its last line', async () => {
    const id = await daemon.dockerOk('run', '-d', '--rm', 'busybox', 'sh', '-c', 'echo a; sleep 0.3; echo b')
    expect(await logs('-f', id)).toBe('a\nb\n')
  })

  it('cut no line, however long', async () => {
    const script = 'head -c 300000 /dev/zero | tr "\\0" x; echo; echo short'
    await daemon.dockerOk('run', '--name', 'long', 'busybox', 'sh', '-c', script)
    const text = await logs('long')
    expect([text.length, text.endsWith('x\nshort\n')]).toEqual([300007, true])
    expect(await logs('--tail', '1', 'long')).toBe('short\n')
  })
})
