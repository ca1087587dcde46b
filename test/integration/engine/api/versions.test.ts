import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { describeDaemon } from '../../../support/daemon-suite.ts'

describeDaemon('the API’s versions', {}, (daemon) => {
  it('are told by _ping, by GET and HEAD, with and without a version, and never cached', async () => {
    for (const path of ['/_ping', '/v1.24/_ping', '/v1.51/_ping']) {
      const { code, text, headers } = await daemon.api('GET', path)
      expect([code, text]).toEqual([200, 'OK'])
      expect(headers).toMatchObject({
        'api-version': '1.51',
        ostype: 'linux',
        server: expect.stringMatching(/^tshost\/\S+ \(linux\)$/),
        'docker-experimental': 'false',
        swarm: 'inactive',
        'cache-control': expect.stringContaining('no-store'),
      })
    }
    const head = await daemon.api('HEAD', '/_ping')
    expect([head.code, head.text, head.headers['api-version']]).toEqual([200, '', '1.51'])
  })

  it('are served from 1.24 to 1.51, and without one', async () => {
    for (const version of ['/v1.24', '/v1.40', '/v1.43', '/v1.51', '']) {
      const { code, headers } = await daemon.api('GET', `${version}/containers/json`)
      expect([version, code, headers['api-version']]).toEqual([version, 200, '1.51'])
    }
  })

  it('are refused when older or newer, in Docker’s words', async () => {
    const old = await daemon.api('GET', '/v1.23/containers/json')
    expect([old.code, old.json().message]).toEqual([
      400,
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    ])
    const young = await daemon.api('GET', '/v1.52/containers/json')
    expect([young.code, young.json().message]).toEqual([
      400,
      'client version 1.52 is too new. Maximum supported API version is 1.51',
    ])
    expect((await daemon.api('GET', '/v9/containers/json')).code).toBe(404)
  })

  it('are negotiated by the docker command, which may be told one', async () => {
    const version = await daemon.dockerOk('version', '-f', '{{.Client.APIVersion}} {{.Server.APIVersion}}')
    expect(version).toMatch(/^1\.\d\d 1\.51$/)
    const old = execFileSync(
      'docker',
      ['-H', `unix://${daemon.socket}`, 'run', '--rm', 'busybox', 'echo', 'old'],
      {
        env: { ...process.env, DOCKER_CONFIG: daemon.folder, DOCKER_API_VERSION: '1.40' },
        encoding: 'utf8',
      },
    )
    expect(old).toBe('old\n')
  })

  it('have /version and /info tell of the host and of what is there', async () => {
    expect((await daemon.api('GET', '/version')).json()).toMatchObject({
      ApiVersion: '1.51',
      MinAPIVersion: '1.24',
      Os: 'linux',
      KernelVersion: execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim(),
    })
    await daemon.dockerOk('run', '-d', '--name', 'counted', 'busybox', 'sleep', '60')
    expect((await daemon.api('GET', '/info')).json()).toMatchObject({
      ID: daemon.engineId,
      Containers: 1,
      ContainersRunning: 1,
      Images: 1,
      OSType: 'linux',
      NCPU: Number(execFileSync('nproc', { encoding: 'utf8' })),
      Swarm: { LocalNodeState: 'inactive' },
    })
    await daemon.dockerOk('rm', '-f', 'counted')
  })

  it('give a stream the type that the client’s version knows', async () => {
    await daemon.dockerOk('run', '--name', 'typed', 'busybox', 'echo', 'typed')
    const type = async (version: string) =>
      (await daemon.api('GET', `/${version}/containers/typed/logs?stdout=1`)).headers['content-type']
    expect(await type('v1.41')).toBe('application/vnd.docker.raw-stream')
    expect(await type('v1.42')).toBe('application/vnd.docker.multiplexed-stream')
    await daemon.dockerOk('rm', 'typed')
  })
})
