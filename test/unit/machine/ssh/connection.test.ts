import { connect, createServer, type Server } from 'node:net'
import ssh2 from 'ssh2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectSsh, type SshTarget } from '../../../../src/machine/ssh/connect.ts'
import type { SshConnection } from '../../../../src/machine/ssh/connection.ts'
import { waitForSsh } from '../../../../src/machine/ssh/wait.ts'
import { startSshServer, type TestServer } from '../../../support/machine-ssh-server.ts'

const user = ssh2.utils.generateKeyPairSync('ed25519')
let server: TestServer
let target: SshTarget

beforeAll(async () => {
  server = await startSshServer(user.public, (command, channel) => {
    if (command === 'hang') return
    if (command === 'cut') return server.cut()
    if (command === 'killed') channel.exit('KILL')
    else {
      channel.write(`ran ${command}`)
      channel.exit(command === 'true' ? 0 : 7)
    }
    // All of it, the end included, goes out in one packet with the word that the command has begun.
    channel.end()
  })
  target = {
    host: '127.0.0.1',
    port: server.port,
    user: 'root',
    privateKey: user.private,
    credential: '/key',
    hostKeys: [server.hostKey],
  }
})
afterAll(() => server.close())

async function withConnection<T>(work: (connection: SshConnection) => Promise<T>): Promise<T> {
  const connection = await connectSsh(target, { timeoutMs: 5_000 })
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}

describe('an SSH connection', () => {
  test('sees the exit code of commands that end at once, many at a time', async () => {
    await withConnection(async (connection) => {
      const results = await Promise.all(
        Array.from({ length: 50 }, () => connection.exec(['some', 'command'])),
      )
      for (const result of results)
        expect(result).toEqual({ code: 7, stdout: 'ran some command', stderr: '' })
      expect(await connection.run(['true'])).toBe('ran true')
      expect((await connection.exec(['killed'])).code).toBe(137)
    })
  })

  test('quotes what a shell would change', async () => {
    await withConnection(async (connection) => {
      expect((await connection.exec(['echo', "it's", '$x'])).stdout).toBe(`ran echo 'it'\\''s' '$x'`)
    })
  })

  test('ends a command that takes too long, or that is not wanted any more', async () => {
    await withConnection(async (connection) => {
      await expect(connection.exec(['hang'], { timeoutMs: 100 })).rejects.toMatchObject({
        code: 'E_TIMEOUT',
        message: 'waited 100ms for hang on 127.0.0.1',
      })
      const stop = new AbortController()
      const running = connection.exec(['hang'], { signal: stop.signal })
      setTimeout(() => stop.abort(new Error('not wanted')), 50)
      await expect(running).rejects.toThrow('not wanted')
    })
  })

  test('says when it broke, and during what', async () => {
    await withConnection(async (connection) => {
      await expect(connection.exec(['cut'])).rejects.toMatchObject({
        code: 'E_SSH_LOST',
        message: expect.stringContaining('during: cut'),
      })
      await expect(connection.exec(['true'])).rejects.toMatchObject({ code: 'E_SSH_LOST' })
    })
  })
})

describe('connecting fails with its cause named:', () => {
  const attempt = (change: Partial<SshTarget>, timeoutMs = 5_000) =>
    connectSsh({ ...target, ...change }, { timeoutMs }).then((connection) => connection.close())

  test('refused', async () => {
    const unused = createServer()
    const port = await listen(unused)
    await new Promise((resolve) => unused.close(resolve))
    await expect(attempt({ port })).rejects.toMatchObject({ code: 'E_SSH_REFUSED', retryable: true })
  })

  test('silent', async () => {
    const silent = createServer(() => {})
    const port = await listen(silent)
    const start = performance.now()
    await expect(attempt({ port }, 300)).rejects.toMatchObject({
      code: expect.stringMatching(/^E_SSH_(UNREACHABLE|PROTOCOL)$/),
    })
    expect(performance.now() - start).toBeLessThan(2_000)
    silent.close()
  })

  test('another host key', async () => {
    const other = ssh2.utils.generateKeyPairSync('ed25519').public
    await expect(attempt({ hostKeys: [other] })).rejects.toMatchObject({
      code: 'E_SSH_HOST_KEY',
      retryable: false,
    })
  })

  test('a key that does not let in', async () => {
    const other = ssh2.utils.generateKeyPairSync('ed25519').private
    await expect(attempt({ privateKey: other })).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      message: '127.0.0.1 does not let root in with /key',
    })
  })

  test('a key file that can not be read', async () => {
    await expect(attempt({ privateKey: 'nonsense' })).rejects.toMatchObject({ code: 'E_SSH_KEY' })
    const locked = ssh2.utils.generateKeyPairSync('ed25519', {
      passphrase: 'x',
      cipher: 'aes256-cbc',
      rounds: 1,
    }).private
    await expect(attempt({ privateKey: locked })).rejects.toMatchObject({
      code: 'E_SSH_KEY',
      message: expect.stringContaining('protected by a passphrase'),
    })
  })

  test('and is accepted, and told, where no key is known', async () => {
    const connection = await connectSsh({ ...target, hostKeys: [] }, { timeoutMs: 5_000 })
    expect(connection.hostKey).toBe(server.hostKey.split(' ').slice(0, 2).join(' '))
    connection.close()
  })
})

describe('waitForSsh', () => {
  test('goes on while nothing listens, and tells why it waits', async () => {
    const late = createServer()
    const port = await listen(late)
    await new Promise((resolve) => late.close(resolve))
    const told: string[] = []
    const waiting = waitForSsh(
      { ...target, port },
      { timeoutMs: 10_000, progress: (text) => told.push(text) },
    )
    await expect.poll(() => told.length).toBeGreaterThan(1)
    expect(told[0]).toBe(`127.0.0.1 refuses SSH connections on port ${port}`)
    const gate = createServer((socket) => {
      socket.pipe(connect(server.port, '127.0.0.1')).pipe(socket)
    })
    await new Promise<void>((resolve) => gate.listen(port, '127.0.0.1', resolve))
    const connection = await waiting
    expect(await connection.run(['true'])).toBe('ran true')
    connection.close()
    gate.close()
  })

  test('ends with the last cause when the time is over', async () => {
    const unused = createServer()
    const port = await listen(unused)
    await new Promise((resolve) => unused.close(resolve))
    await expect(waitForSsh({ ...target, port }, { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'E_SSH_REFUSED',
    })
  })
})

async function listen(listener: Server): Promise<number> {
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  return (listener.address() as { port: number }).port
}
