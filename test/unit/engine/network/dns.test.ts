import { type Answer, type DecodedPacket, decode, encode, type Packet, TRUNCATED_RESPONSE } from 'dns-packet'
import { describe, expect, it } from 'vitest'
import { answerLocally, encodeForDatagram, type Zone } from '../../../../src/engine/network/dns/answer.ts'
import { zoneOf } from '../../../../src/engine/network/dns/zone.ts'
import {
  containerResolver,
  embeddedResolvConf,
  hostnameFile,
  hostsFile,
  parseResolvConf,
  plainResolvConf,
  reachableServers,
} from '../../../../src/engine/network/files.ts'
import { joinNetwork, NetworkTable } from '../../../../src/engine/network/network-table.ts'
import type { EndpointRecord, NetworkRecord } from '../../../../src/engine/network/records.ts'

function query(name: string, type: string, edns?: number): DecodedPacket {
  const additionals = edns ? [{ type: 'OPT', name: '.', udpPayloadSize: edns } as Answer] : []
  return decode(
    encode({ type: 'query', id: 7, flags: 0x100, questions: [{ name, type } as never], additionals }),
  )
}

const zone: Zone = {
  isClosed: false,
  addressesOf: (name) =>
    ({ web: ['10.0.0.5'], many: Array.from({ length: 100 }, (_, i) => `10.0.1.${i}`) })[name],
  nameOf: (address) => ({ '10.0.0.5': 'web.mine', '10.0.0.6': null })[address],
}
const rcodeOf = (packet: Packet | undefined) => (packet?.flags ?? 0) & 15
const dataOf = (packet: Packet | undefined) =>
  packet?.answers?.map((answer) => (answer as { data: unknown }).data)

describe('an answer', () => {
  it('has the addresses of a name, whatever its case', () => {
    const answer = answerLocally(query('WeB', 'A'), zone)
    expect(dataOf(answer)).toEqual(['10.0.0.5'])
    expect(answer).toMatchObject({ id: 7, questions: [{ name: 'WeB' }], answers: [{ name: 'WeB' }] })
    expect(rcodeOf(answer)).toBe(0)
  })

  it('is empty, not an error, for other types of a name that there is', () => {
    for (const type of ['AAAA', 'MX', 'TXT']) {
      const answer = answerLocally(query('web', type), zone)
      expect([rcodeOf(answer), answer?.answers]).toEqual([0, []])
    }
  })

  it('tells the name of an address, and that one of ours has none', () => {
    expect(dataOf(answerLocally(query('5.0.0.10.in-addr.arpa', 'PTR'), zone))).toEqual(['web.mine'])
    expect(rcodeOf(answerLocally(query('6.0.0.10.in-addr.arpa', 'PTR'), zone))).toBe(3)
    expect(answerLocally(query('7.0.0.10.in-addr.arpa', 'PTR'), zone)).toBeUndefined()
  })

  it('is sought elsewhere for other names, unless nothing may be asked outside', () => {
    expect(answerLocally(query('example.com', 'A'), zone)).toBeUndefined()
    expect(rcodeOf(answerLocally(query('example.com', 'A'), { ...zone, isClosed: true }))).toBe(3)
  })

  it('is cut to what the client takes, and says so', () => {
    const size = (edns?: number) => {
      const asked = query('many', 'A', edns)
      const bytes = encodeForDatagram(asked, answerLocally(asked, zone)!)
      const { answers, flags } = decode(bytes)
      return [bytes.length, answers!.length, (flags! & TRUNCATED_RESPONSE) !== 0] as const
    }
    const [bytes, answers, isCut] = size()
    expect(bytes).toBeLessThanOrEqual(512)
    expect(bytes).toBeGreaterThan(490)
    expect(answers).toBeGreaterThan(10)
    expect(isCut).toBe(true)
    expect(size(4096).slice(1)).toEqual([100, false])
  })

  it('comes in another order each time', () => {
    const orders = new Set(
      Array.from({ length: 20 }, () => `${dataOf(answerLocally(query('many', 'A'), zone))}`),
    )
    expect(orders.size).toBeGreaterThan(1)
  })

  it('is a refusal to understand where there is not one question', () => {
    const two = decode(
      encode({
        type: 'query',
        id: 1,
        questions: [
          { name: 'a', type: 'A' },
          { name: 'b', type: 'A' },
        ],
      }),
    )
    expect(rcodeOf(answerLocally(two, zone))).toBe(1)
  })
})

describe("a container's zone", () => {
  const table = new NetworkTable()
  const add = (name: string, i: number, internal = false) =>
    table.add({
      version: 1,
      id: name,
      name,
      internal,
      options: {},
      ipam: { driver: 'default', options: {}, subnet: `10.${i}.0.0/16`, gateway: `10.${i}.0.1` },
    } as NetworkRecord)
  const [bridge, one, closed] = [add('bridge', 0), add('one', 1), add('closed', 2, true)]
  const endpoint = (
    networkId: string,
    address: string,
    dnsNames: string[],
    links?: string[],
  ): EndpointRecord => ({ networkId, address, dnsNames, links }) as EndpointRecord
  joinNetwork(bridge, 'x', 'x', endpoint('bridge', '10.0.0.2', ['x']))
  joinNetwork(one, 'a', 'a', endpoint('one', '10.1.0.2', ['a', 'Alias']))
  joinNetwork(one, 'b', 'b', endpoint('one', '10.1.0.3', ['b', 'Alias']))
  joinNetwork(closed, 'c', 'c', endpoint('closed', '10.2.0.2', ['c']))
  const swarm = {
    addresses: new Map([
      ['web', ['10.1.9.9']],
      ['a', ['10.1.9.8']],
    ]),
    names: new Map([['10.1.9.9', 'web']]),
  }
  const of = (...endpoints: EndpointRecord[]) =>
    zoneOf({ table, swarmNames: (id) => (id === 'one' ? swarm : undefined) }, () => endpoints)

  it("has the names of the container's networks, also with the network's name, and no others", () => {
    const view = of(endpoint('one', '10.1.0.3', ['b']))
    expect(view.addressesOf('b')).toEqual(['10.1.0.3'])
    expect(view.addressesOf('b.one')).toEqual(['10.1.0.3'])
    expect(view.addressesOf('alias')).toEqual(['10.1.0.2', '10.1.0.3'])
    expect(view.addressesOf('c')).toBeUndefined()
    expect(of(endpoint('bridge', '10.0.0.2', [])).addressesOf('x')).toBeUndefined()
  })

  it("puts the swarm's names before those of the host", () => {
    expect(of(endpoint('one', '10.1.0.3', [])).addressesOf('a')).toEqual(['10.1.9.8'])
    expect(of(endpoint('one', '10.1.0.3', [])).nameOf('10.1.9.9')).toBe('web.one')
  })

  it('knows names of addresses, and which addresses are nobody’s', () => {
    const view = of(endpoint('one', '10.1.0.3', []))
    expect(view.nameOf('10.1.0.2')).toBe('a.one')
    expect(view.nameOf('10.1.0.77')).toBeNull()
    expect(view.nameOf('10.2.0.2')).toBeUndefined()
  })

  it('has the aliases of links', () => {
    expect(of(endpoint('one', '10.1.0.3', [], ['b:db'])).addressesOf('db')).toEqual(['10.1.0.3'])
  })

  it('is closed where all networks are internal', () => {
    expect(of(endpoint('closed', '10.2.0.2', [])).isClosed).toBe(true)
    expect(of(endpoint('closed', '10.2.0.2', []), endpoint('one', '10.1.0.2', [])).isClosed).toBe(false)
  })
})

describe("a container's files", () => {
  it("have Docker's content", () => {
    expect(hostnameFile('box')).toBe('box\n')
    expect(
      hostsFile({
        hostname: 'box',
        domainname: 'example.com',
        addresses: ['172.17.0.2'],
        extra: ['db:10.0.0.1', 'six:[fd00::1]', 'gate=host-gateway', 'nonsense'],
        hostGateway: '172.17.0.1',
      })
        .split('\n')
        .slice(6),
    ).toEqual(['10.0.0.1\tdb', 'fd00::1\tsix', '172.17.0.1\tgate', '172.17.0.2\tbox.example.com box', ''])
  })

  it("follow the host's resolver settings", () => {
    const text =
      '# x\nnameserver 127.0.0.53\nnameserver 9.9.9.9 ; y\nsearch a.b c.d\noptions edns0\noptions rotate\n'
    const host = parseResolvConf(text)
    expect(host).toEqual({
      servers: ['127.0.0.53', '9.9.9.9'],
      search: ['a.b', 'c.d'],
      options: ['edns0', 'rotate'],
    })
    expect(reachableServers(host.servers)).toEqual(['9.9.9.9'])
    expect(reachableServers(['::1', '127.0.0.1'])).toEqual(['8.8.8.8', '8.8.4.4'])
    expect(plainResolvConf({ ...host, servers: ['9.9.9.9'] })).toBe(
      'nameserver 9.9.9.9\nsearch a.b c.d\noptions edns0 rotate\n',
    )
    expect(embeddedResolvConf(host)).toBe(
      'nameserver 127.0.0.11\nsearch a.b c.d\noptions edns0 rotate ndots:0\n# ExtServers: [127.0.0.53 9.9.9.9]\n',
    )
    expect(containerResolver(host, { servers: ['1.1.1.1'], search: ['.'] })).toEqual({
      servers: ['1.1.1.1'],
      search: [],
      options: ['edns0', 'rotate'],
    })
  })
})
