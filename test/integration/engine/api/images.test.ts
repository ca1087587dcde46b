import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { makeImageArchive } from '../../../../src/engine/images/archive.ts'
import { describeDaemon } from '../../../support/daemon-suite.ts'
import { which } from '../../../support/needs.ts'

describeDaemon('images and events by the docker command', {}, (daemon) => {
  const ok = (...args: string[]) => daemon.dockerOk(...args)
  /** What `docker events` prints from before the first test on. */
  let events: ReturnType<typeof daemon.docker>
  beforeAll(() => {
    const format = ['--format', '{{.Type}} {{.Action}}']
    events = daemon.docker(['events', '--since', '1', ...format], { timeoutMs: 120_000 })
  })
  afterAll(async () => {
    await daemon.stop()
    await events
  })

  it('are listed and inspected', async () => {
    const [head, row] = (await ok('images')).split('\n')
    expect(head).toMatch(/^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$/)
    expect(row).toMatch(/^busybox +latest +[0-9a-f]{12} +.* +[\d.]+[kM]B$/)
    const inspected = JSON.parse(await ok('image', 'inspect', 'busybox')) as object[]
    expect(inspected).toMatchObject([
      { RepoTags: ['busybox:latest'], Os: 'linux', Config: { Cmd: ['sh'], Env: ['PATH=/usr/bin:/bin'] } },
    ])
    expect(await ok('history', '-q', 'busybox')).toMatch(/sha256:|<missing>|[0-9a-f]{12}/)
  })

  it('get names and lose them, and go with the last', async () => {
    await ok('tag', 'busybox', 'host.example:5000/team/box:1.2')
    expect((await ok('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').sort()).toEqual([
      'busybox:latest',
      'host.example:5000/team/box:1.2',
    ])
    expect(await ok('run', '--rm', 'host.example:5000/team/box:1.2', 'echo', 'same')).toBe('same')
    expect(await ok('rmi', 'host.example:5000/team/box:1.2')).toBe('Untagged: host.example:5000/team/box:1.2')
    const bad = await daemon.docker(['tag', 'busybox', 'UPPER'])
    expect([bad.code, bad.stderr]).toEqual([1, expect.stringMatching(/must be lowercase|invalid reference/)])
  })

  it('are saved, removed and loaded again as they were', async () => {
    const archive = join(daemon.folder, 'saved.tar')
    const id = await ok('image', 'inspect', '-f', '{{.Id}}', 'busybox')
    await ok('save', '-o', archive, 'busybox')
    expect(execFileSync('tar', ['-tf', archive], { encoding: 'utf8' })).toMatch(/manifest\.json/)
    const removed = await ok('rmi', 'busybox')
    expect(removed).toMatch(/^Untagged: busybox:latest\nDeleted: sha256:[0-9a-f]{64}/)
    expect(await ok('images', '-q')).toBe('')
    expect(await ok('load', '-i', archive)).toBe('Loaded image: busybox:latest')
    expect(await ok('image', 'inspect', '-f', '{{.Id}}', 'busybox')).toBe(id)
    expect(await ok('run', '--rm', 'busybox', 'echo', 'back')).toBe('back')
  })

  it('that a container uses stay, with the reason', async () => {
    await ok('create', '--name', 'user', 'busybox', 'true')
    const refused = await daemon.docker(['rmi', 'busybox'])
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(
        /unable to remove repository reference "busybox" .* container [0-9a-f]{12} is using/,
      ),
    ])
    await ok('rm', 'user')
  })

  it('bring the command, user, folder and environment of their own', async () => {
    const archive = makeImageArchive({
      layers: [
        [
          { type: 'file', path: 'bin/busybox', source: which('busybox')!, mode: 0o755 },
          { type: 'file', path: 'etc/passwd', content: 'app:x:77:78::/srv:/bin/sh\n' },
          { type: 'file', path: 'srv/words', content: 'from the image\n' },
        ],
      ],
      config: {
        Entrypoint: ['/bin/busybox', 'sh', '-c'],
        Cmd: ['id=$(/bin/busybox id -u); echo $id $WORD $PWD; /bin/busybox cat words'],
        Env: ['WORD=given'],
        User: 'app',
        WorkingDir: '/srv',
      },
      tags: ['own:1'],
    })
    await daemon.api('POST', '/images/load', Readable.from(archive, { objectMode: false }))
    expect(await ok('run', '--rm', 'own:1')).toBe('77 given /srv\nfrom the image')
    expect(await ok('run', '--rm', '-e', 'WORD=other', 'own:1', 'echo $WORD')).toBe('other')
    await ok('rmi', 'own:1')
  })

  it('are refused when the archive is none, and leave nothing', async () => {
    const bad = await daemon.api('POST', '/images/load', Readable.from([Buffer.alloc(4096, 'x')]))
    expect([bad.code >= 400 || bad.text.includes('errorDetail'), await ok('images', '-q', 'own')]).toEqual([
      true,
      '',
    ])
    const { code, stderr } = await daemon.docker(['load'], { input: 'no archive' })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/./)])
  })

  it('are told by the events, with the containers’', async () => {
    const until = (Date.now() / 1000).toFixed(3)
    const { text } = await daemon.api('GET', `/events?since=1&until=${until}`)
    const actions = text
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const { Type, Action } = JSON.parse(line) as { Type: string; Action: string }
        return `${Type} ${Action}`
      })
    for (const action of ['load', 'tag', 'untag', 'delete']) expect(actions).toContain(`image ${action}`)
    for (const action of ['create', 'attach', 'start', 'die', 'destroy'])
      expect(actions).toContain(`container ${action}`)
    expect(actions).toContain('network connect')
    const only = encodeURIComponent(JSON.stringify({ type: { image: true }, event: { tag: true } }))
    const filtered = await daemon.api('GET', `/events?since=1&until=${until}&filters=${only}`)
    expect(filtered.text.trim().split('\n')).toHaveLength(
      actions.filter((action) => action === 'image tag').length,
    )
    expect(JSON.parse(filtered.text.split('\n')[0]!)).toMatchObject({ status: 'tag', scope: 'local' })
    // The command that listened all the time has seen the same.
    await daemon.stop()
    const live = (await events).stdout.trim().split('\n')
    expect(live.slice(0, actions.length)).toEqual(actions)
    await daemon.start()
  })
})
