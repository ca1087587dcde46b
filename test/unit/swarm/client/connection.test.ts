import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { issueIdentity, makeRoot } from '../../../../src/swarm/ca/authority.ts'
import { EngineApi } from '../../../../src/swarm/client/api.ts'
import { findEndpoint } from '../../../../src/swarm/client/connection.ts'
import { clientFailures } from '../../../../src/swarm/client-failures.ts'

let config: string
beforeAll(async () => {
  config = await mkdtemp(join(tmpdir(), 'docker-config-'))
  const id = createHash('sha256').update('m1').digest('hex')
  await mkdir(join(config, 'contexts', 'meta', id), { recursive: true })
  await mkdir(join(config, 'contexts', 'tls', id, 'docker'), { recursive: true })
  const meta = { Name: 'm1', Endpoints: { docker: { Host: 'tcp://10.1.1.1:2376', SkipTLSVerify: false } } }
  await writeFile(join(config, 'contexts', 'meta', id, 'meta.json'), JSON.stringify(meta))
  for (const name of ['ca', 'cert', 'key']) {
    await writeFile(join(config, 'contexts', 'tls', id, 'docker', `${name}.pem`), `context ${name}`)
    await writeFile(join(config, `${name}.pem`), `own ${name}`)
  }
})
afterAll(() => rm(config, { recursive: true, force: true }))

const find = (environment: Record<string, string>, host?: string) =>
  findEndpoint({
    environment: { DOCKER_CONFIG: config, ...environment },
    ...(host && { host }),
    machine: async () => machine,
  })
const machine = { url: 'tcp://10.9.9.9:2376' }

describe('the manager', () => {
  it('is what --host says, before DOCKER_HOST, before the context, before the machine', async () => {
    const environment = { DOCKER_HOST: 'tcp://env:1', DOCKER_CONTEXT: 'm1' }
    expect(await find(environment, 'unix:///x.sock')).toEqual({ url: 'unix:///x.sock' })
    expect(await find(environment)).toEqual({ url: 'tcp://env:1' })
    expect((await find({ DOCKER_CONTEXT: 'm1' })).url).toBe('tcp://10.1.1.1:2376')
    expect(await find({ DOCKER_CONTEXT: 'default' })).toBe(machine)
    expect(await find({})).toBe(machine)
  })

  it('is spoken to with the certificates of its place', async () => {
    expect(await find({ DOCKER_HOST: 'tcp://h:1', DOCKER_TLS_VERIFY: '1' })).toEqual({
      url: 'tcp://h:1',
      tls: { ca: 'own ca', cert: 'own cert', key: 'own key', verify: true },
    })
    expect((await find({ DOCKER_CONTEXT: 'm1' })).tls).toEqual({
      ca: 'context ca',
      cert: 'context cert',
      key: 'context key',
      verify: true,
    })
  })

  it('is named by the current context of the docker command', async () => {
    await writeFile(join(config, 'config.json'), '{"currentContext":"m1"}')
    expect((await find({})).url).toBe('tcp://10.1.1.1:2376')
    await rm(join(config, 'config.json'))
  })

  it.each([
    [{ DOCKER_HOST: 'ssh://x' }, 'E_API_HOST'],
    [{ DOCKER_HOST: 'nonsense' }, 'E_API_HOST'],
    [{ DOCKER_CONTEXT: 'none-such' }, 'E_CONTEXT_UNKNOWN'],
    [{ DOCKER_HOST: 'tcp://h:1', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: '/nowhere' }, 'E_API_CERTIFICATE'],
  ])('is not found with %j', async (environment, code) => {
    await expect(find(environment)).rejects.toMatchObject({ code })
  })

  it('is not found when nobody knows one', async () => {
    await expect(findEndpoint({ environment: { DOCKER_CONFIG: config } })).rejects.toMatchObject({
      code: 'E_API_NOWHERE',
    })
  })

  it('that does not answer is named', async () => {
    await expect(new EngineApi({ url: 'tcp://127.0.0.1:1' }).get('/nodes')).rejects.toThrow(
      "the engine at tcp://127.0.0.1:1 can't be reached: nobody listens there",
    )
    await expect(new EngineApi({ url: 'unix:///none.sock' }).get('/nodes')).rejects.toThrow(
      /there is no such socket/,
    )
  })

  it('that takes no connection, or says nothing on it, is not waited for long', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
    const limits = { connectMs: 200, answerMs: 300, longAnswerMs: 400 }
    try {
      const tls = new EngineApi({ url, tls: { verify: false } }, limits)
      await expect(tls.get('/nodes')).rejects.toThrow(/no connection within/)
      const plain = new EngineApi({ url }, limits)
      await expect(plain.get('/nodes')).rejects.toThrow(/no answer within 300 ?ms/)
      await expect(plain.post('/swarm/join')).rejects.toThrow(/no answer within 400 ?ms/)
    } finally {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })

  it('with a certificate of another CA is called untrusted, with the place of the CA', async () => {
    const [root, other] = await Promise.all([makeRoot(), makeRoot()])
    const { cert, key } = await issueIdentity(root, { nodeId: 'm', clusterId: 'c', role: 'manager' })
    const server = createTlsServer({ cert, key }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const asked = new EngineApi({ url, tls: { ca: other.cert, verify: true } }).get('/nodes')
      await expect(asked).rejects.toMatchObject({
        code: 'E_API_UNTRUSTED',
        message: expect.stringContaining(`the engine at ${url} is not trusted: `),
        suggestions: [expect.stringMatching(/ca\.pem.*DOCKER_CERT_PATH/)],
      })
    } finally {
      server.close()
    }
  })

  it("that names docker's commands is quoted with those of tsswarm", async () => {
    const message = 'Use "docker swarm leave" or "docker swarm init".'
    const server = createHttpServer((_, response) => {
      response.writeHead(503).end(JSON.stringify({ message }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      await expect(new EngineApi({ url }).get('/nodes')).rejects.toThrow(
        'Use "tsswarm leave" or "tsswarm init".',
      )
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
})

it('next steps begin with a capital letter', () => {
  for (const failure of Object.values(clientFailures)) {
    if ('next' in failure) expect(failure.next()).toMatch(/^[A-Z]/)
  }
})
