import { createServer } from 'node:net'
import { afterEach, beforeAll, expect, it, vi } from 'vitest'
import { describeDaemon } from '../../../support/daemon-suite.ts'

describeDaemon('a bad request', {}, (daemon) => {
  /** What the engine has in the kernel and on disk while nothing runs. */
  let before: string[]
  beforeAll(async () => {
    await daemon.dockerOk('create', '--name', 'here', 'busybox', 'true')
    await daemon.dockerOk('run', '-d', '--name', 'runs', 'busybox', 'sleep', '600')
    before = await left()
  })
  const left = async () => {
    const { text } = await daemon.api('GET', '/containers/json?all=1')
    const volumes = (await daemon.api('GET', '/volumes')).json().Volumes as { Name: string }[]
    const ids = (JSON.parse(text) as { Id: string; State: string }[]).map((c) => `${c.Id} ${c.State}`)
    return [...(await daemon.leftovers()), ...ids, ...volumes.map((v) => v.Name)].sort()
  }
  // The kernel takes the device of a namespace away a moment after its last process.
  afterEach(() => vi.waitFor(async () => expect(await left()).toEqual(before), { timeout: 10_000 }))

  const call = async (method: string, path: string, body?: unknown) => {
    const { code, headers, text, json } = await daemon.api(method, path, body)
    // Go's client compares this word for word; with a charset users would see raw JSON.
    if (code >= 400) expect(headers['content-type']).toBe('application/json')
    return [code, code === 304 ? text : json().message]
  }
  const create = (change: object = {}, query = '') =>
    call('POST', `/containers/create${query}`, { Image: 'busybox', Cmd: ['true'], ...change })

  it('with a body that is no JSON, or not of the right form, is told where it is wrong', async () => {
    const broken = await call('POST', '/containers/create', '{"Image": "busybox",}')
    expect(broken).toEqual([400, expect.stringMatching(/^invalid request body: .*JSON/)])
    expect(await call('POST', '/containers/create', '[1]')).toEqual([
      400,
      'invalid request body: must be a JSON object',
    ])
    expect(await create({ Env: 'A=1' })).toEqual([
      400,
      expect.stringMatching(/^invalid request body: Env must be/),
    ])
    expect(await create({ HostConfig: { Memory: '64m' } })).toEqual([
      400,
      expect.stringMatching(/^invalid request body: HostConfig\.Memory must be integer/),
    ])
    expect(await call('POST', '/containers/create', {})).toEqual([
      400,
      'invalid request body: Image is missing',
    ])
    const huge = await call('POST', '/containers/create', `{"Image": "${'x'.repeat(5 << 20)}"}`)
    expect(huge).toEqual([400, expect.stringMatching(/more than 4194304 bytes/)])
  })

  it('for an image that there is not gets 404 and the words that make docker pull', async () => {
    expect(await create({ Image: 'nothing' })).toEqual([404, 'No such image: nothing:latest'])
    expect(await create({ Image: 'a/b:c' })).toEqual([404, 'No such image: a/b:c'])
    expect(await call('GET', '/images/nothing/json')).toEqual([404, 'No such image: nothing:latest'])
    expect(await call('DELETE', '/images/nothing')).toEqual([
      404,
      expect.stringMatching(/No such image: nothing/),
    ])
    const pull = await daemon.docker(['run', '--rm', 'nothing', 'true'])
    expect(pull).toMatchObject({
      code: 125,
      stderr: expect.stringMatching(/pull access denied for \S*nothing/),
    })
  })

  it('for a container that there is not gets 404 from every verb', async () => {
    const calls: [string, string, unknown?][] = [
      ['GET', 'containers/none/json'],
      ['GET', 'containers/none/logs?stdout=1'],
      ...['start', 'stop', 'restart', 'kill', 'wait', 'pause', 'unpause', 'attach', 'resize'].map(
        (verb): [string, string] => ['POST', `containers/none/${verb}`],
      ),
      ['POST', 'containers/none/rename?name=other'],
      ['POST', 'containers/none/exec', { Cmd: ['true'] }],
      ['DELETE', 'containers/none'],
    ]
    for (const [method, path, body] of calls) {
      expect([path, await call(method, `/${path}`, body)]).toEqual([path, [404, 'No such container: none']])
    }
    expect(await call('GET', '/exec/none/json')).toEqual([404, 'No such exec instance: none'])
    expect(await call('GET', '/networks/nowhere')).toEqual([404, 'network nowhere not found'])
    expect(await call('GET', '/volumes/none')).toEqual([404, expect.stringMatching(/no such volume/i)])
  })

  it('with limits below the least, or that contradict each other, gets 400', async () => {
    const cases: [object, RegExp][] = [
      [{ Memory: 1 << 20 }, /Minimum memory limit allowed is 6MB/],
      [{ Memory: 64 << 20, MemorySwap: 32 << 20 }, /larger than memory limit/],
      [{ Memory: -1 }, /memory/],
      [{ MemorySwap: 64 << 20 }, /needs a memory limit/],
      [{ NanoCpus: 1e9, CpuQuota: 50_000 }, /conflicts/],
      [{ CpuPeriod: 10 }, /1ms to 1s/],
      [{ CpusetCpus: 'some' }, /no list/],
      [{ CpusetCpus: '99' }, /Requested CPUs are not available/],
      [{ NanoCpus: 1e6 }, /Range of CPUs/],
      [{ NanoCpus: 1e12 }, /Range of CPUs/],
      [{ CpusetCpus: '1-0' }, /no list/],
      [{ CapAdd: ['CAP_NOTHING'] }, /unknown: CAP_NOTHING/],
      [{ Ulimits: [{ Name: 'nothing', Soft: 1, Hard: 1 }] }, /unknown limit nothing/],
      [{ RestartPolicy: { Name: 'sometimes' } }, /unknown policy 'sometimes'/],
      [{ RestartPolicy: { Name: 'always' }, AutoRemove: true }, /AutoRemove/],
      [{ SecurityOpt: ['seccomp={'] }, /seccomp profile/],
      [{ Binds: ['relative:/x:what'] }, /./],
      [
        { Mounts: [{ Type: 'bind', Source: '/no/such', Target: '/x' }] },
        /bind source path does not exist: \/no\/such/,
      ],
      [{ PortBindings: { 'http/tcp': [{ HostPort: '80' }] } }, /./],
    ]
    for (const [HostConfig, message] of cases) {
      const [code, text] = await create({ HostConfig })
      expect([HostConfig, code, text]).toEqual([HostConfig, 400, expect.stringMatching(message)])
    }
  })

  it('with a signal, a hostname or a platform that is none of its image gets 400', async () => {
    expect(await create({ StopSignal: 'FOO' })).toEqual([400, 'invalid signal: FOO'])
    expect(await create({ Hostname: 'a_b!' })).toEqual([400, 'invalid hostname format: a_b!'])
    expect(await create({ Hostname: 'x'.repeat(65) })).toEqual([
      400,
      expect.stringMatching(/invalid hostname/),
    ])
    expect(await create({ Domainname: 'a\nb' })).toEqual([400, expect.stringMatching(/invalid domainname/)])
    const [own, other] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64']
    const run = await daemon.docker(['run', '--rm', '--platform', `linux/${other}`, 'busybox', 'true'])
    expect(run).toMatchObject({
      code: 125,
      stderr: expect.stringContaining(
        `busybox was found but its platform (linux/${own}) does not match the specified platform (linux/${other})`,
      ),
    })
    expect(run.stderr).not.toContain('pull')
    expect(await create({}, '?platform=a%2F%2Fb')).toEqual([400, 'invalid platform: a//b'])
    const fine = ['--platform', `linux/${own}`, '--hostname', 'a_b.c-d', '--stop-signal', 'RTMIN+3']
    expect(await daemon.dockerOk('run', '--rm', ...fine, 'busybox', 'hostname')).toBe('a_b.c-d')
  })

  it('for a network that there is not is told so at the start, not that the image is missing', async () => {
    for (const [mode, message] of [
      ['no-such-network', 'network no-such-network not found'],
      ['container:none', 'No such container: none'],
    ] as const) {
      const run = await daemon.docker(['run', '--name', 'lost', '--network', mode, 'busybox', 'true'])
      expect(run).toMatchObject({ code: 125, stderr: expect.stringContaining(message) })
      expect(run.stderr).not.toMatch(/image|pull/)
      expect(await daemon.dockerOk('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'lost')).toBe(
        'created 128',
      )
      expect(await daemon.dockerOk('ps', '-a', '--format', '{{.Names}}')).toContain('lost')
      await daemon.dockerOk('rm', 'lost')
      const removed = await daemon.docker(['run', '--rm', '--network', mode, 'busybox', 'true'])
      expect(removed).toMatchObject({ code: 125, stderr: expect.stringContaining(message) })
    }
    // What the mode hides is looked at all the same.
    const [code] = await create({
      HostConfig: { NetworkMode: 'none-such', PortBindings: { 'http/tcp': [] } },
    })
    expect(code).toBe(400)
  })

  it('with a bad name gets 400, with a taken one 409', async () => {
    expect(await create({}, '?name=-x')).toEqual([
      400,
      'Invalid container name (-x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    ])
    const id = (await daemon.api('GET', '/containers/here/json')).json().Id
    expect(await create({}, '?name=here')).toEqual([
      409,
      `Conflict. The container name "/here" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    ])
    expect(await call('POST', '/containers/runs/rename?name=here')).toEqual([
      409,
      expect.stringMatching(/Conflict/),
    ])
    const both = await Promise.all([create({}, '?name=twin'), create({}, '?name=twin')])
    expect(both.map(([code]) => code).sort()).toEqual([201, 409])
    await daemon.dockerOk('rm', 'twin')
  })

  it('against the state of a container gets 409, or 304 where it is so already', async () => {
    expect(await call('DELETE', '/containers/runs')).toEqual([
      409,
      'cannot remove container "/runs": container is running: stop the container before removing or force remove',
    ])
    expect(await call('POST', '/containers/runs/start')).toEqual([304, ''])
    expect(await call('POST', '/containers/here/stop')).toEqual([304, ''])
    expect(await call('POST', '/containers/here/kill')).toEqual([
      409,
      expect.stringMatching(/is not running/),
    ])
    expect(await call('POST', '/containers/here/exec', { Cmd: ['true'] })).toEqual([
      409,
      expect.stringMatching(/is not running/),
    ])
    expect(await call('POST', '/containers/runs/exec', {})).toEqual([400, 'no command specified'])
    expect(await call('POST', '/containers/runs/kill?signal=NONE')).toEqual([400, 'invalid signal: NONE'])
    expect(await call('DELETE', '/images/busybox')).toEqual([409, expect.stringMatching(/container/)])
  })

  it('for a port in use on the host fails the start, names the port, and leaves nothing attached', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    try {
      const run = await daemon.docker(['run', '--rm', '-p', `127.0.0.1:${port}:80`, 'busybox', 'true'])
      expect(run).toMatchObject({
        code: 125,
        stderr: expect.stringMatching(new RegExp(`127\\.0\\.0\\.1:${port}`)),
      })
    } finally {
      server.close()
    }
  })

  it('whose parameters are wrong gets 400', async () => {
    const cases: [string, string][] = [
      ['GET', '/containers/json?filters=%7B'],
      ['GET', '/containers/json?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D'],
      ['GET', '/containers/json?limit=many'],
      ['GET', '/containers/runs/logs'],
      ['GET', '/containers/runs/logs?stdout=1&tail=few'],
      ['GET', '/containers/runs/logs?stdout=1&since=yesterday'],
      ['POST', '/containers/runs/stop?t=soon'],
      ['POST', '/containers/runs/wait?condition=never'],
      ['GET', '/events?filters=%7B%22nothing%22%3A%5B%22x%22%5D%7D'],
    ]
    for (const [method, path] of cases) {
      expect([path, await call(method, path)]).toEqual([path, [400, expect.any(String)]])
    }
    expect(await call('GET', '/no/such/page')).toEqual([404, 'page not found'])
  })
})
