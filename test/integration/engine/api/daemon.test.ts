import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enginePaths } from '../../../../src/engine/paths.ts'
import { issueCertificate, type KeyPair, makeCa } from '../../../../src/shared/certificates.ts'
import { daemonCommand, eraseEngine, leftoversOf, TestDaemon } from '../../../support/daemon.ts'
import { endDaemon } from '../../../support/daemon-suite.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing('busybox', 'docker', 'ip', 'nft')
const lifeMs = 3_600_000

/** Writes ca.pem, cert.pem and key.pem, as the docker command wants them. */
function writePair(folder: string, ca: string, pair: KeyPair): string {
  mkdirSync(folder)
  writeFileSync(join(folder, 'ca.pem'), ca)
  writeFileSync(join(folder, 'cert.pem'), pair.cert)
  writeFileSync(join(folder, 'key.pem'), pair.key, { mode: 0o600 })
  return folder
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve) =>
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    }),
  )
}

describe.skipIf(reason)(titled('a daemon over TCP', reason), () => {
  let folder: string
  let daemon: TestDaemon
  let url: string
  let clients: Record<'right' | 'stranger', string>
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tsmachine-tls-'))
    const [ca, other] = await Promise.all([
      makeCa({ commonName: 'ours', lifeMs }),
      makeCa({ commonName: 'theirs', lifeMs }),
    ])
    const server = await issueCertificate(ca, {
      commonName: 'host',
      sans: ['127.0.0.1'],
      usage: ['server'],
      lifeMs,
    })
    const client = { commonName: 'me', usage: ['client' as const], lifeMs }
    writePair(join(folder, 'server'), ca.cert, server)
    clients = {
      right: writePair(join(folder, 'right'), ca.cert, await issueCertificate(ca, client)),
      stranger: writePair(join(folder, 'stranger'), ca.cert, await issueCertificate(other, client)),
    }
    const port = await freePort()
    url = `tcp://127.0.0.1:${port}`
    const files = ['ca', 'cert', 'key'].map(
      (name) => `--tls${name === 'ca' ? 'cacert' : name}=${folder}/server/${name}.pem`,
    )
    daemon = new TestDaemon(['--host', url, '--tlsverify', ...files])
    await daemon.start()
    await daemon.loadBusybox()
  })
  afterAll(async () => {
    await endDaemon(daemon)
    rmSync(folder, { recursive: true })
  })

  const dockerTls = (...flags: string[]) => daemon.docker([...flags, 'ps', '-q'], { host: url })
  const withFiles = (path: string) =>
    ['ca', 'cert', 'key'].map((name) => `--tls${name === 'ca' ? 'cacert' : name}=${path}/${name}.pem`)

  it('serves a client whose certificate its CA has signed, streams and all', async () => {
    const run = ['run', '--rm', '-i', 'busybox', 'cat']
    const answer = await daemon.docker(['--tlsverify', ...withFiles(clients.right), ...run], {
      input: 'through\n',
      host: url,
    })
    expect(answer).toEqual({ code: 0, stdout: 'through\n', stderr: '' })
  })

  it('refuses a client without a certificate, one of another CA, and one that speaks plain HTTP', async () => {
    const none = await dockerTls('--tls', `--tlscacert=${clients.right}/ca.pem`, '--tlscert=', '--tlskey=')
    expect([none.code, none.stderr]).toEqual([
      1,
      expect.stringMatching(/certificate required|bad certificate/),
    ])
    const stranger = await dockerTls('--tlsverify', ...withFiles(clients.stranger))
    expect([stranger.code, stranger.stderr]).toEqual([
      1,
      expect.stringMatching(/unknown certificate|certificate authority|bad certificate|certificate required/),
    ])
    await expect(fetch(`${url.replace('tcp', 'http')}/_ping`)).rejects.toThrow()
  })

  it('is refused by a client that expects another CA', async () => {
    writeFileSync(join(clients.stranger, 'ca.pem'), readFileSync(join(clients.stranger, 'cert.pem')))
    const answer = await dockerTls('--tlsverify', ...withFiles(clients.stranger))
    expect([answer.code, answer.stderr]).toEqual([1, expect.stringMatching(/failed to verify certificate/)])
  })
})

describe.skipIf(reason)(titled("a daemon's flags", reason), () => {
  const daemon = new TestDaemon(['--bip', '172.30.99.1/24', '--label', 'rack=7', '--group', '0'])
  beforeAll(async () => {
    await daemon.start()
    await daemon.loadBusybox()
  })
  afterAll(() => endDaemon(daemon))
  const own = () => ['--data-root', daemon.dataRoot, '--exec-root', daemon.execRoot]

  it('give it its folders, its pid file, its bridge, its labels and a socket for its group alone', async () => {
    expect(readFileSync(join(daemon.folder, 'pid'), 'utf8')).toBe(`${daemon.pid}\n`)
    const bridge = await daemon.dockerOk('network', 'inspect', 'bridge', '-f', '{{json .IPAM.Config}}')
    expect(JSON.parse(bridge)).toMatchObject([{ Subnet: '172.30.99.0/24', Gateway: '172.30.99.1' }])
    const inside = await daemon.dockerOk('run', '--rm', 'busybox', 'ip', '-4', '-o', 'addr', 'show', 'eth0')
    expect(inside).toMatch(/inet 172\.30\.99\.\d+\/24/)
    const info = JSON.parse(await daemon.dockerOk('info', '-f', '{{json .}}')) as object
    expect(info).toMatchObject({ Labels: ['rack=7'], DockerRootDir: daemon.dataRoot })
    expect(statSync(daemon.socket).mode & 0o777).toBe(0o660)
    expect(statSync(daemon.dataRoot).mode & 0o007).toBe(0)
    expect(existsSync(join(daemon.execRoot, 'root'))).toBe(true)
  })

  it('say how much is logged', () => {
    expect(readFileSync(daemon.logPath, 'utf8')).toMatch(/"level":20/)
  })

  it('refuse a data root that another daemon has, in one line, and leave that one alone', async () => {
    const second = await daemonCommand(['--host', `unix://${daemon.folder}/second.sock`, ...own()])
    expect(second.code).toBe(1)
    expect(second.stderr.split('\n')[0]).toBe(
      `tshost: another engine (pid ${daemon.pid}) has this data root: ${daemon.dataRoot}/engine.lock`,
    )
    expect(existsSync(`${daemon.folder}/second.sock`)).toBe(false)
    expect((await daemon.api('GET', '/_ping')).text).toBe('OK')
  })

  it('refuse what can not be, each in one line with its exit code', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmachine-flags-'))
    const place = ['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`]
    const cases: [string[], number, RegExp][] = [
      [['--host', 'tcp://127.0.0.1:1', ...place], 1, /TCP is served with mutual TLS only/],
      [['--host', 'fd://3', ...place], 1, /can't listen on fd:\/\/3/],
      [
        ['--host', 'tcp://127.0.0.1:1', '--tlsverify', '--tlscacert', '/no/ca.pem', ...place],
        1,
        /can't use the TLS file \/no\/ca\.pem: ENOENT/,
      ],
      [['--host', `unix://${daemon.socket}`, ...place], 1, /another daemon answers there/],
      [['--bip', '172.30.99.1', ...place], 1, /bip/i],
      [['--log-level', 'loud', ...place], 2, /--log-level loud is none of debug, info/],
      [['--data-root', 'relative'], 2, /--data-root relative is no absolute path/],
      [['--no-such-flag'], 2, /no-such-flag/],
    ]
    try {
      for (const [flags, code, message] of cases) {
        const { code: got, stderr } = await daemonCommand(flags)
        const first = stderr.split('\n').find((line) => line.startsWith('tshost: '))
        expect([flags[0], flags[1], got, first]).toEqual([
          flags[0],
          flags[1],
          code,
          expect.stringMatching(message),
        ])
      }
      expect((await daemon.api('GET', '/_ping')).text).toBe('OK')
      const { engineId } = enginePaths(`${folder}/data`, `${folder}/exec`)
      expect(await leftoversOf(engineId, folder)).toEqual([])
      await eraseEngine(engineId)
      expect(existsSync(`${folder}/data/engine.lock`)).toBe(false)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('name a socket file that a dead daemon has left, and take it', async () => {
    await daemon.stop('SIGKILL')
    expect(existsSync(daemon.socket)).toBe(true)
    await daemon.start()
    expect((await daemon.api('GET', '/_ping')).text).toBe('OK')
    await daemon.stop()
    expect([existsSync(daemon.socket), existsSync(join(daemon.folder, 'pid'))]).toEqual([false, false])
    await daemon.start()
  })
})

describe.skipIf(reason)(titled('daemons side by side', reason), () => {
  const daemons = [new TestDaemon(), new TestDaemon()] as const
  beforeAll(async () => {
    for (const daemon of daemons) {
      await daemon.start()
      await daemon.loadBusybox()
    }
  })
  afterAll(async () => {
    for (const daemon of daemons) await endDaemon(daemon)
  })
  const serve = ['sh', '-c', 'mkdir /www; hostname > /www/index.html; exec httpd -f -p 80 -h /www']

  it('have bridges, tables and cgroups of their own, and see only their own containers', async () => {
    const [first, second] = daemons
    for (const daemon of daemons) {
      await daemon.dockerOk(
        'run',
        '-d',
        '--name',
        'web',
        '-h',
        daemon.engineId,
        '-p',
        '127.0.0.1::80',
        'busybox',
        ...serve,
      )
      expect(await daemon.dockerOk('ps', '--format', '{{.Names}}')).toBe('web')
    }
    const subnets = await Promise.all(
      daemons.map((d) =>
        d.dockerOk('network', 'inspect', 'bridge', '-f', '{{(index .IPAM.Config 0).Subnet}}'),
      ),
    )
    expect(subnets[0]).not.toBe(subnets[1])
    const [ofFirst, ofSecond] = await Promise.all(daemons.map((d) => leftoversOf(d.engineId, d.folder)))
    expect(ofFirst!.length).toBeGreaterThan(3)
    expect(ofFirst!.filter((line) => line.includes(second.engineId))).toEqual([])
    expect(ofSecond!.filter((line) => line.includes(first.engineId))).toEqual([])
  })

  it('take nothing of each other along when one is erased', async () => {
    const [first, second] = daemons
    const page = async () => {
      const address = await second.dockerOk('port', 'web', '80/tcp')
      return (await fetch(`http://${address}/`)).text()
    }
    expect(await page()).toBe(`${second.engineId}\n`)
    await endDaemon(first)
    expect(await page()).toBe(`${second.engineId}\n`)
    expect((await second.docker(['exec', 'web', 'true'])).code).toBe(0)
    expect(await second.dockerOk('run', '--rm', 'busybox', 'echo', 'still')).toBe('still')
    expect(await first.leftovers()).toEqual([])
  })
})
