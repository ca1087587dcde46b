import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import type { KeyPair } from '../../../../src/shared/certificates.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { identityOf, issueIdentity, makeRoot, managerName } from '../../../../src/swarm/ca/authority.ts'
import { askManager } from '../../../../src/swarm/wire/ask.ts'
import { WireClient } from '../../../../src/swarm/wire/client.ts'
import type { ToManager, ToWorker } from '../../../../src/swarm/wire/messages.ts'
import { type Connection, startWireServer, type WireServer } from '../../../../src/swarm/wire/server.ts'
import type { Certificates, ServerOptions } from '../../../../src/swarm/wire/server-loop.ts'

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const root = await makeRoot()
async function certificates(
  nodeId: string,
  role: 'manager' | 'worker',
  by: KeyPair = root,
): Promise<Certificates> {
  return { ...(await issueIdentity(by, { nodeId, clusterId: 'c1', role })), ca: root.cert }
}

interface Heard {
  messages: [string | undefined, ToManager][]
  silent: string[]
  closed: number
}

interface StartOptions extends Pick<ServerOptions, 'handshakes'> {
  graceMs?: number
  ownThread?: boolean
  answer?: ToWorker
}

async function start(options: StartOptions = {}) {
  const heard: Heard = { messages: [], silent: [], closed: 0 }
  const nodeOf = (c: Connection) => c.cert && identityOf(Buffer.from(c.cert))?.nodeId
  const graceMs = options.graceMs ?? 1000
  const server: WireServer = await startWireServer(
    {
      host: '127.0.0.1',
      port: 0,
      graceMs,
      ownThread: options.ownThread ?? false,
      ...(options.handshakes && { handshakes: options.handshakes }),
      ...(await certificates('m1', 'manager')),
    },
    {
      received(connection, message) {
        heard.messages.push([nodeOf(connection), message])
        if (message.t === 'hello') server.expect(nodeOf(connection)!, graceMs, connection)
        if (options.answer) server.send(connection, options.answer)
      },
      closed: () => heard.closed++,
      silent: (nodeId) => heard.silent.push(nodeId),
      failed: (error) => {
        throw error
      },
    },
  )
  cleanups.push(() => server.stop())
  return { server, heard, manager: `127.0.0.1:${server.port}` }
}

async function join(
  manager: string,
  certs: Certificates,
  timing: { periodMs: number; graceMs: number; ownThread?: boolean },
) {
  const received: ToWorker[] = []
  const downs: string[] = []
  const ups: string[] = []
  const client = new WireClient(
    { managers: [manager], serverName: managerName, ...certs, ownThread: false, ...timing },
    {
      up({ localAddress }) {
        ups.push(localAddress)
        client.send({ t: 'hello', version: 1, description: {} as never, statuses: [] })
      },
      received: (message) => received.push(message),
      down: (why) => downs.push(why),
      failed: (error) => {
        throw error
      },
    },
  )
  const stop = () => client.stop()
  cleanups.push(stop)
  const stopNow = () => {
    cleanups.splice(cleanups.indexOf(stop), 1)
    return stop()
  }
  return { client, received, downs, ups, stop: stopNow }
}

const soon = { timeoutMs: 5000, everyMs: 10 }
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('the stream between worker and manager', () => {
  it('carries messages both ways, and the manager knows who speaks', async () => {
    const { heard, manager } = await start({ answer: { t: 'left' } })
    const worker = await join(manager, await certificates('w1', 'worker'), { periodMs: 50, graceMs: 500 })
    await waitFor('an answer', () => worker.received[0], soon)
    expect(worker.received).toEqual([{ t: 'left' }])
    expect(worker.ups).toEqual(['127.0.0.1'])
    expect(heard.messages).toMatchObject([['w1', { t: 'hello' }]])
  })

  it('names a node whose beats stop, and none whose beats go on', async () => {
    // Thirty beats: a host of busy cores loses some.
    const graceMs = 1500
    const { heard, manager } = await start({ graceMs })
    const timing = { periodMs: 50, graceMs }
    const one = await join(manager, await certificates('w1', 'worker'), timing)
    await join(manager, await certificates('w2', 'worker'), timing)
    await waitFor('both', () => heard.messages.length === 2 || undefined, soon)
    await one.stop()
    await waitFor('silence', () => heard.silent[0], soon)
    await sleep(graceMs + 100)
    expect(heard.silent).toEqual(['w1'])
  })

  it('keeps listening while the main thread is blocked', async () => {
    const graceMs = 1000
    const { heard, manager } = await start({ graceMs, ownThread: true })
    await join(manager, await certificates('w1', 'worker'), { periodMs: 50, graceMs, ownThread: true })
    await waitFor('hello', () => heard.messages[0], soon)
    const end = performance.now() + 4 * graceMs
    while (performance.now() < end);
    await sleep(200)
    expect(heard.silent).toEqual([])
    expect(heard.closed).toBe(0)
  })

  it('is dialled again after the manager was away', async () => {
    const first = await start()
    const worker = await join(first.manager, await certificates('w1', 'worker'), {
      periodMs: 50,
      graceMs: 500,
    })
    await waitFor('hello', () => first.heard.messages[0], soon)
    await cleanups.shift()!()
    await waitFor('down', () => worker.downs[0], soon)
    const second = await start()
    worker.client.setManagers([second.manager])
    await waitFor('hello again', () => second.heard.messages[0], soon)
  })

  it('is refused to a certificate of another root', async () => {
    const { heard, manager } = await start()
    const other = await makeRoot()
    const worker = await join(manager, await certificates('w1', 'worker', other), {
      periodMs: 50,
      graceMs: 500,
    })
    await waitFor('two losses', () => worker.downs[1], soon)
    expect(heard.messages).toEqual([])
  })

  it('is not opened by a worker to one who only is a worker', async () => {
    const heard: string[] = []
    const impostor = await startWireServer(
      { host: '127.0.0.1', port: 0, graceMs: 100, ownThread: false, ...(await certificates('w9', 'worker')) },
      { received: (_, m) => heard.push(m.t), closed() {}, silent() {}, failed() {} },
    )
    cleanups.push(() => impostor.stop())
    const certs = await certificates('w1', 'worker')
    const worker = await join(`127.0.0.1:${impostor.port}`, certs, { periodMs: 50, graceMs: 500 })
    expect(await waitFor('a loss', () => worker.downs[0], soon)).toMatch(/swarm-manager/)
    expect(heard).toEqual([])
  })

  it.each([true, false])('is not served on a port that is none, and says so at once', async (ownThread) => {
    const listener = { received() {}, closed() {}, silent() {}, failed() {} }
    const options = { host: '127.0.0.1', port: 99_999, graceMs: 100, ownThread }
    const start = performance.now()
    await expect(
      startWireServer({ ...options, ...(await certificates('m1', 'manager')) }, listener),
    ).rejects.toMatchObject({ code: 'E_LISTEN' })
    expect(performance.now() - start).toBeLessThan(5000)
  })

  it('is not served by a thread that dies at its start, and says so at once', async () => {
    const failed: Error[] = []
    const listener = { received() {}, closed() {}, silent() {}, failed: (error: Error) => failed.push(error) }
    const options = { host: '127.0.0.1', port: 0, graceMs: 100, cert: 'none', key: 'none', ca: 'none' }
    const start = performance.now()
    await expect(startWireServer(options, listener)).rejects.toMatchObject({ code: 'E_LISTEN' })
    expect(performance.now() - start).toBeLessThan(5000)
    expect(failed).toEqual([])
  })

  it('answers questions without a certificate, small ones only', async () => {
    const { manager, heard, server } = await start({ answer: { t: 'ca', cert: root.cert } })
    expect(await askManager({ t: 'ca' }, { manager, timeoutMs: 2000 })).toEqual({ t: 'ca', cert: root.cert })
    expect(await askManager({ t: 'ca' }, { manager, ca: root.cert, timeoutMs: 2000 })).toMatchObject({
      t: 'ca',
    })
    expect(heard.messages[0]).toEqual([undefined, { t: 'ca' }])
    const socket = connect({ host: '127.0.0.1', port: server.port, rejectUnauthorized: false })
    const closed = new Promise((resolve) => socket.on('close', resolve))
    socket.write(Buffer.from([0, 2, 0, 0, 1]))
    await closed
  })

  it('ends connections that say nothing, and takes only so many of them', async () => {
    const answer = { t: 'ca', cert: root.cert } as const
    const limits = { lifeMs: 700, limit: 4, limitOfOne: 3 }
    const { manager, server } = await start({ answer, handshakes: limits })
    const begin = performance.now()
    const ends: number[] = []
    for (let i = 0; i < 5; i++) {
      const socket = connectPlain(server.port, '127.0.0.1')
      socket.on('error', () => {})
      socket.on('close', () => ends.push(performance.now() - begin))
    }
    // Two find no place, and then there is none for anybody else of this address.
    await waitFor('two refusals', () => ends[1], soon)
    await expect(askManager({ t: 'ca' }, { manager, timeoutMs: 300 })).rejects.toMatchObject({
      code: 'E_MANAGER_UNREACHABLE',
    })
    expect(ends).toHaveLength(2)
    await waitFor('the end of the others', () => ends[4], soon)
    expect(ends[2]).toBeGreaterThan(600)
    // Those that have shaken hands take no place.
    const timing = { periodMs: 50, graceMs: 1000 }
    for (const id of ['w1', 'w2', 'w3', 'w4', 'w5']) {
      const worker = await join(manager, await certificates(id, 'worker'), timing)
      await waitFor('a stream', () => worker.ups[0], soon)
    }
    expect(await askManager({ t: 'ca' }, { manager, timeoutMs: 2000 })).toEqual(answer)
  })

  it('says what went wrong with a question', async () => {
    const { manager } = await start({ answer: { t: 'refused', code: 'E_X', message: 'not you' } })
    await expect(askManager({ t: 'ca' }, { manager, timeoutMs: 2000 })).rejects.toThrow(
      'the manager refuses: not you',
    )
    await expect(askManager({ t: 'ca' }, { manager: '127.0.0.1:1', timeoutMs: 2000 })).rejects.toMatchObject({
      code: 'E_MANAGER_UNREACHABLE',
    })
  })
})
