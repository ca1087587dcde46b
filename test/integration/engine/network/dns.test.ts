import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { type DecodedPacket, decode, encode, type Packet, streamDecode, streamEncode } from 'dns-packet'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { openBoundSocket } from '../../../../src/engine/kernel/netns-sockets.ts'
import type { Networks } from '../../../../src/engine/network/networks.ts'
import { missing, titled } from '../../../support/needs.ts'
import {
  containerRequest,
  exchangeTcp,
  exchangeUdp,
  Lan,
  runIn,
  startIn,
  TestHost,
} from '../../../support/network.ts'

const reason = missing('ip', 'nft', 'busybox', 'python3')

describe.skipIf(reason)(titled('the resolver of containers', reason), () => {
  let host: TestHost
  let networks: Networks
  const closers: (() => void)[] = []
  beforeEach(async () => {
    host = new TestHost()
    networks = await host.open()
    await networks.create({ Name: 'mine' })
    await networks.create({ Name: 'closed', Internal: true })
  })
  afterEach(() => {
    for (const close of closers.splice(0)) close()
    host.close()
  })

  function attach(
    id: string,
    networkMode: string,
    endpoints = {},
    wishes = {},
  ): { fd: number; resolvConf: string } {
    const { namespace, files } = networks.attachContainer(
      containerRequest(id, { networkMode, endpoints, wishes }),
    )
    if (namespace.kind !== 'join') throw new Error('no namespace')
    return { fd: namespace.fd, resolvConf: files.resolvConf }
  }

  const question = (name: string, type = 'A'): Packet => ({
    type: 'query',
    id: 42,
    flags: 0x100,
    questions: [{ name, type: type as 'A' }],
  })
  async function look(fd: number, name: string, type?: string): Promise<DecodedPacket> {
    return decode(await exchangeUdp(fd, '127.0.0.11', 53, encode(question(name, type))))
  }
  const dataOf = ({ answers }: Packet) => (answers ?? []).map((answer) => (answer as { data: unknown }).data)

  /** A name server in a namespace that answers every question with one address, cut short over UDP if asked. */
  async function openServer(
    namespace: number,
    options: { truncate?: boolean; delayMs?: number } = {},
  ): Promise<{ questions: string[]; sent: string[] }> {
    const questions: string[] = []
    const sent: string[] = []
    const answer = (query: Packet, flags = 0x8180): Packet => {
      questions.push(query.questions![0]!.name)
      const name = query.questions![0]!.name
      return { ...query, type: 'response', flags, answers: [{ type: 'A', name, data: '192.0.2.1' }] }
    }
    const udp = createSocket('udp4')
    udp.on('message', (message, from) => {
      const packet = answer(decode(message), options.truncate ? 0x8380 : 0x8180)
      const reply = () => {
        udp.send(encode(packet), from.port, from.address)
        sent.push(packet.questions![0]!.name)
      }
      if (options.delayMs === undefined) reply()
      else setTimeout(reply, options.delayMs)
    })
    const at = { address: '0.0.0.0', port: 53, namespace }
    await new Promise<void>((resolve) =>
      udp.bind({ fd: openBoundSocket({ ...at, protocol: 'udp' }) }, resolve),
    )
    const tcp = createServer((socket) =>
      socket.on('data', (data: Buffer) => socket.end(streamEncode(answer(streamDecode(data))))),
    )
    await new Promise<void>((resolve) =>
      tcp.listen({ fd: openBoundSocket({ ...at, protocol: 'tcp' }) }, resolve),
    )
    closers.push(
      () => udp.close(),
      () => tcp.close(),
    )
    return { questions, sent }
  }

  it("answers names, aliases, ids and addresses of the container's networks, by UDP and by TCP", async () => {
    const a = attach('a', 'mine')
    attach('b', 'mine', { mine: { Aliases: ['db', 'Store'] } })
    expect(a.resolvConf).toBe(
      'nameserver 127.0.0.11\nsearch example.com\noptions ndots:0\n# ExtServers: [203.0.113.53]\n',
    )
    for (const name of ['b', 'db', 'store', 'b00000000000', 'b.mine', 'DB.mine']) {
      expect(dataOf(await look(a.fd, name)), name).toEqual(['172.18.0.3'])
    }
    expect(dataOf(await look(a.fd, '3.0.18.172.in-addr.arpa', 'PTR'))).toEqual(['b.mine'])
    expect(dataOf(await look(a.fd, 'b', 'AAAA'))).toEqual([])
    const byTcp = streamDecode(await exchangeTcp(a.fd, '127.0.0.11', 53, streamEncode(question('b'))))
    expect(dataOf(byTcp)).toEqual(['172.18.0.3'])
    // A real client finds it too, and so does ping by name.
    expect(await startIn(a.fd, 'busybox', 'nslookup', 'b.mine.', '127.0.0.11')).toContain('172.18.0.3')
    networks.renameContainer('b'.padEnd(64, '0'), 'c')
    expect(dataOf(await look(a.fd, 'c'))).toEqual(['172.18.0.3'])
    networks.detachContainer('b'.padEnd(64, '0'))
    expect((await look(a.fd, '3.0.18.172.in-addr.arpa', 'PTR')).answers).toEqual([])
  })

  it('goes on after a datagram that nobody can be answered to', async () => {
    const a = attach('a', 'mine')
    const packet = encode(question('a')).toString('hex')
    // A program with NET_RAW may send from port 0.
    const script = `
import socket, struct
data = bytes.fromhex('${packet}')
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
raw.sendto(struct.pack('!HHHH', 0, 53, 8 + len(data), 0) + data, ('127.0.0.11', 0))`
    runIn(a.fd, 'python3', '-c', script)
    expect(dataOf(await look(a.fd, 'a'))).toEqual(['172.18.0.2'])
  })

  it('forgets what a container has asked that is gone when the answer comes', async () => {
    const lan = new Lan()
    const outside = new TestHost()
    closers.push(
      () => lan.close(),
      () => outside.close(),
    )
    lan.join(host)
    const server = await openServer(outside.namespace, { delayMs: 200 })
    const a = attach('a', 'mine', {}, { dns: { servers: [lan.join(outside)] } })
    exchangeUdp(a.fd, '127.0.0.11', 53, encode(question('slow.example'))).catch(() => undefined)
    await vi.waitFor(() => expect(server.questions).toEqual(['slow.example']), { timeout: 2_000 })
    networks.detachContainer('a'.padEnd(64, '0'))
    // An answer that had nowhere to go would end this process.
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(server.sent).toEqual(['slow.example'])
  })

  it('leaves port 53 of the container to the container', async () => {
    const a = attach('a', 'mine')
    await openServer(a.fd)
    expect(dataOf(decode(await exchangeUdp(a.fd, '127.0.0.1', 53, encode(question('x')))))).toEqual([
      '192.0.2.1',
    ])
    expect(dataOf(await look(a.fd, 'a'))).toEqual(['172.18.0.2'])
  })

  it("passes other questions to the host's servers, or the container's own, and large answers by TCP", async () => {
    const lan = new Lan()
    const [outside, second] = [new TestHost(), new TestHost()]
    closers.push(
      () => lan.close(),
      () => outside.close(),
      () => second.close(),
    )
    lan.join(host)
    const [first, other] = [lan.join(outside), lan.join(second)]
    const [server, truncating] = [
      await openServer(outside.namespace),
      await openServer(second.namespace, { truncate: true }),
    ]
    host.setResolvConf(`nameserver ${first}\n`)
    const own = attach('own', 'mine', {}, { dns: { servers: [other] } })
    const a = attach('a', 'mine')
    const answer = await look(a.fd, 'ExAmple.org')
    expect([answer.id, dataOf(answer), answer.questions![0]!.name]).toEqual([
      42,
      ['192.0.2.1'],
      'ExAmple.org',
    ])
    expect(server.questions).toEqual(['ExAmple.org'])
    expect((await look(own.fd, 'big.example')).flag_tc).toBe(true)
    const whole = await exchangeTcp(own.fd, '127.0.0.11', 53, streamEncode(question('big.example')))
    expect(dataOf(streamDecode(whole))).toEqual(['192.0.2.1'])
    expect(truncating.questions).toEqual(['big.example', 'big.example'])
    // Names of ours, and addresses of our networks, are nobody else's business.
    await look(a.fd, 'own')
    await look(a.fd, 'own', 'MX')
    await look(a.fd, '99.0.18.172.in-addr.arpa', 'PTR')
    expect(server.questions).toEqual(['ExAmple.org'])
  })

  it('asks nothing outside for a container on internal networks alone', async () => {
    const lan = new Lan()
    const outside = new TestHost()
    closers.push(
      () => lan.close(),
      () => outside.close(),
    )
    lan.join(host)
    const server = await openServer(outside.namespace)
    host.setResolvConf(`nameserver ${lan.join(outside)}\n`)
    const shut = attach('shut', 'closed')
    attach('peer', 'closed')
    expect((await look(shut.fd, 'example.org')).flags! & 15).toBe(3)
    expect(dataOf(await look(shut.fd, 'peer'))).toEqual(['172.19.0.3'])
    expect(server.questions).toEqual([])
  })

  it('says that it failed where no server answers', async () => {
    host.setResolvConf('nameserver 127.0.0.1\n')
    const a = attach('a', 'mine')
    expect((await look(a.fd, 'example.org')).flags! & 15).toBe(2)
  })

  it('is not there on the network `bridge`', () => {
    const { resolvConf } = attach('plain', 'bridge')
    expect(resolvConf).toBe('nameserver 203.0.113.53\nsearch example.com\n')
  })
})
