import { describe, expect, it } from 'vitest'
import { readCreateBody } from '../../../../src/engine/network/create-body.ts'
import {
  gatewayEndpoint,
  planEndpoint,
  wantedEndpoints,
} from '../../../../src/engine/network/endpoint-plan.ts'
import { matchesList, matchesPrune } from '../../../../src/engine/network/filters.ts'
import { parseSubnet } from '../../../../src/engine/network/ipv4.ts'
import { namesOf } from '../../../../src/engine/network/names.ts'
import { joinNetwork, leaveNetwork, NetworkTable } from '../../../../src/engine/network/network-table.ts'
import { bridgeOptionsOf } from '../../../../src/engine/network/options.ts'
import { parseTarget, portMapOf, readPortWishes } from '../../../../src/engine/network/ports.ts'
import type { EndpointRecord, NetworkRecord } from '../../../../src/engine/network/records.ts'

function record(change: Partial<NetworkRecord> = {}): NetworkRecord {
  return {
    version: 1,
    id: '1'.repeat(64),
    name: 'mine',
    driver: 'bridge',
    scope: 'local',
    created: '2026-01-01T00:00:00.000Z',
    internal: false,
    attachable: false,
    ingress: false,
    options: {},
    labels: {},
    ipam: { driver: 'default', options: {}, subnet: '172.18.0.0/24', gateway: '172.18.0.1' },
    bridge: 'br',
    ...change,
  }
}

const taken = [{ subnet: parseSubnet('172.17.0.0/16')!, by: 'bridge' }]

describe('the body of a network', () => {
  it('gets a free subnet and its first address as gateway', () => {
    const { ipam } = readCreateBody({ Name: 'x' }, taken, [parseSubnet('172.18.0.0/24')!])
    expect(ipam).toEqual({ driver: 'default', options: {}, subnet: '172.19.0.0/16', gateway: '172.19.0.1' })
  })

  it('keeps what it says', () => {
    const IPAM = {
      Config: [
        {
          Subnet: '10.1.0.0/16',
          IPRange: '10.1.5.0/24',
          Gateway: '10.1.0.9',
          AuxiliaryAddresses: { router: '10.1.5.1' },
        },
      ],
    }
    const { ipam } = readCreateBody({ Name: 'x', IPAM }, taken, [])
    expect(ipam).toMatchObject({
      subnet: '10.1.0.0/16',
      range: '10.1.5.0/24',
      gateway: '10.1.0.9',
      auxiliary: { router: '10.1.5.1' },
    })
    const inRange = { Config: [{ Subnet: '10.1.0.0/16', IPRange: '10.1.5.0/24' }] }
    expect(readCreateBody({ Name: 'x', IPAM: inRange }, taken, []).ipam.gateway).toBe('10.1.5.0')
  })

  const config = (Config: object) => ({ Name: 'x', IPAM: { Config: [Config] } })
  it.each([
    [{ Name: '' }, 'E_NETWORK_OPTION', /Name/],
    [{ Name: '-x' }, 'E_NETWORK_OPTION', /Name/],
    [{ Name: 'a b' }, 'E_NETWORK_OPTION', /Name/],
    [{ Name: 'host' }, 'E_NETWORK_PREDEFINED', /predefined host network/],
    [{ Name: 'x', Driver: 'macvlan' }, 'E_NETWORK_DRIVER', /plugin macvlan/],
    [{ Name: 'x', Ingress: true }, 'E_NETWORK_OPTION', /Ingress/],
    [{ Name: 'x', ConfigOnly: true }, 'E_NETWORK_OPTION', /ConfigOnly/],
    [
      config({ Subnet: '172.17.5.0/24' }),
      'E_SUBNET_OVERLAP',
      /172\.17\.5\.0\/24 with 172\.17\.0\.0\/16 of bridge/,
    ],
    [config({ Subnet: '10.0.0.1/24' }), 'E_NETWORK_OPTION', /Subnet/],
    [config({ Subnet: '10.0.0.0/31' }), 'E_NETWORK_OPTION', /Subnet/],
    [config({ Gateway: '10.0.0.1' }), 'E_NETWORK_OPTION', /needs a Subnet/],
    [config({ Subnet: '10.0.0.0/24', Gateway: '10.0.1.1' }), 'E_NETWORK_OPTION', /Gateway/],
    [config({ Subnet: '10.0.0.0/24', Gateway: '10.0.0.255' }), 'E_NETWORK_OPTION', /Gateway/],
    [config({ Subnet: '10.0.0.0/24', IPRange: '10.0.0.0/16' }), 'E_NETWORK_OPTION', /IPRange/],
    [{ Name: 'x', IPAM: { Driver: 'other' } }, 'E_NETWORK_OPTION', /Driver/],
    [{ Name: 'x', Options: { 'com.docker.network.driver.mtu': '50' } }, 'E_NETWORK_OPTION', /mtu/],
  ])('%j is refused with %s', (body, code, text) => {
    const error = catchOf(() => readCreateBody(body as { Name: string }, taken, []))
    expect(error).toMatchObject({ code, message: expect.stringMatching(text) })
  })

  it('is warned of what is not done', () => {
    const six = { Name: 'x', EnableIPv6: true, IPAM: { Config: [{ Subnet: 'fd00::/64' }] } }
    expect(readCreateBody(six, taken, []).warnings).toHaveLength(2)
  })

  it('says when no subnet is left', () => {
    const all = [parseSubnet('172.16.0.0/12')!, parseSubnet('192.168.0.0/16')!]
    expect(catchOf(() => readCreateBody({ Name: 'x' }, [], all))).toMatchObject({ code: 'E_NO_SUBNET' })
  })
})

describe('the options of a network', () => {
  it('have presets, and are read as Docker reads them', () => {
    expect(bridgeOptionsOf({})).toEqual({
      icc: true,
      masquerade: true,
      hostBinding: '0.0.0.0',
      interfacePrefix: 'eth',
    })
    expect(
      bridgeOptionsOf({
        'com.docker.network.bridge.enable_icc': 'FALSE',
        'com.docker.network.bridge.enable_ip_masquerade': '0',
        'com.docker.network.bridge.name': 'br-mine',
        'com.docker.network.driver.mtu': '9000',
        'some.other': 'thing',
      }),
    ).toMatchObject({ icc: false, masquerade: false, name: 'br-mine', mtu: 9000 })
  })

  it.each([
    { 'com.docker.network.bridge.name': 'a name' } as Record<string, string>,
    { 'com.docker.network.bridge.name': '0123456789abcdef' },
    { 'com.docker.network.bridge.name': '..' },
    { 'com.docker.network.bridge.enable_icc': 'maybe' },
    { 'com.docker.network.bridge.host_binding_ipv4': '1.2.3' },
    { 'com.docker.network.container_iface_prefix': 'much too long' },
  ])('%j is refused', (options) => {
    expect(catchOf(() => bridgeOptionsOf(options))).toMatchObject({ code: 'E_NETWORK_OPTION' })
  })
})

describe('published ports', () => {
  it('are read from bindings and, if all are asked for, from what is exposed', () => {
    expect(
      readPortWishes({
        bindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }], '53/udp': null },
        exposed: { '80/tcp': {}, '443/tcp': {} },
        publishAll: true,
      }),
    ).toEqual([
      { protocol: 'tcp', port: 80, hostAddress: '127.0.0.1', firstHostPort: 8000, lastHostPort: 8010 },
      { protocol: 'udp', port: 53, hostAddress: '0.0.0.0', firstHostPort: 0, lastHostPort: 0 },
      { protocol: 'tcp', port: 443, hostAddress: '0.0.0.0', firstHostPort: 0, lastHostPort: 0 },
    ])
    expect(
      readPortWishes({ bindings: { '80': [{ HostIp: '', HostPort: '1' }] } }, '10.0.0.1')[0],
    ).toMatchObject({
      protocol: 'tcp',
      hostAddress: '10.0.0.1',
    })
  })

  it.each([
    ['0/tcp', '80'],
    ['65536/tcp', '80'],
    ['80/icmp', '80'],
    ['http', '80'],
    ['80/tcp', 'x'],
    ['80/tcp', '9-8'],
    ['80/tcp', '65536'],
  ])('%s on %s is refused', (target, HostPort) => {
    const bindings = { [target]: [{ HostIp: '', HostPort }] }
    expect(catchOf(() => readPortWishes({ bindings }))).toMatchObject({ code: 'E_PORT_INVALID' })
  })

  it('are refused on addresses of IPv6, by name', () => {
    const bindings = { '80/tcp': [{ HostIp: '::1', HostPort: '80' }] }
    expect(catchOf(() => readPortWishes({ bindings }))).toMatchObject({ code: 'E_PORT_INVALID' })
    expect(parseTarget('80/TCP')).toEqual({ port: 80, protocol: 'tcp' })
  })

  it('are shown with those that are only exposed', () => {
    const port = {
      protocol: 'tcp' as const,
      hostAddress: '0.0.0.0',
      hostPort: 8080,
      address: '172.17.0.2',
      port: 80,
    }
    expect(portMapOf([port, { ...port, hostPort: 8081 }], { '80/tcp': {}, '443': {} })).toEqual({
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '0.0.0.0', HostPort: '8081' },
      ],
      '443/tcp': null,
    })
  })
})

describe('what a container is on', () => {
  function tableOf(...names: string[]) {
    const table = new NetworkTable()
    for (const [i, name] of names.entries()) {
      const driver = name === 'host' ? ('host' as const) : ('bridge' as const)
      const ipam = { driver: 'default', options: {}, subnet: `10.${i}.0.0/16`, gateway: `10.${i}.0.1` }
      table.add(record({ name, driver, id: `${i}${'a'.repeat(63)}`, ipam }))
    }
    return table
  }
  const table = tableOf('bridge', 'host', 'one', 'two')
  const namesOn = (mode: string, configs = {}) =>
    wantedEndpoints(table, mode, configs).map(({ network }) => network.record.name)

  it('is the network `bridge` unless it says otherwise', () => {
    for (const mode of ['', 'default', 'bridge']) expect(namesOn(mode)).toEqual(['bridge'])
    expect(namesOn('host')).toEqual([])
    expect(namesOn('none')).toEqual([])
    expect(namesOn(`container:${'c'.repeat(64)}`)).toEqual([])
  })

  it("has its mode's network first, the others by name, whether by name or by id", () => {
    expect(namesOn('two', { one: {}, [`2${'a'.repeat(63)}`]: {} })).toEqual(['two', 'one'])
    expect(namesOn('default', { two: {} })).toEqual(['two'])
    expect(namesOn('2a')).toEqual(['one'])
  })

  it.each([
    ['nothing', {}, 'E_NETWORK_UNKNOWN'],
    ['host', { one: {} }, 'E_NETWORK_MODE'],
    ['container:x', { one: {} }, 'E_NETWORK_MODE'],
    ['one', { host: {} }, 'E_NETWORK_MODE'],
    ['bridge', { bridge: { IPAMConfig: { IPv4Address: '10.0.0.5' } } }, 'E_ADDRESS_INVALID'],
    ['one', { one: { IPAMConfig: { IPv4Address: 'x' } } }, 'E_ADDRESS_INVALID'],
    ['one', { one: { MacAddress: '01:42:ac:11:00:02' } }, 'E_ADDRESS_INVALID'],
  ])('%s with %j is refused with %s', (mode, configs, code) => {
    expect(catchOf(() => wantedEndpoints(table, mode, configs))).toMatchObject({ code })
  })

  it('gets names, an address and a device name from its id', () => {
    const one = tableOf('bridge', 'one').find('one')
    const options = { names: namesOf('0123abcd'), isDeviceTaken: () => false, interfaces: ['eth0'] }
    const who = { id: 'c'.repeat(64), name: 'web', hostname: 'web.example' }
    const plan = (config: object) => planEndpoint({ network: one, config }, who, options)
    const endpoint = plan({ Aliases: ['w'] })
    expect(endpoint).toMatchObject({
      address: '10.1.0.2',
      gateway: '10.1.0.1',
      mac: '02:42:0a:01:00:02',
      interface: 'eth1',
      dnsNames: ['web', 'w', 'c'.repeat(12), 'web.example'],
    })
    expect(endpoint.device).toMatch(/^tse0123abcd[0-9a-z]{4}$/)
    expect(catchOf(() => plan({ IPAMConfig: { IPv4Address: '10.1.0.2' } }))).toMatchObject({
      code: 'E_ADDRESS_TAKEN',
    })
    expect(catchOf(() => plan({ IPAMConfig: { IPv4Address: '10.1.0.1' } }))).toMatchObject({
      code: 'E_ADDRESS_TAKEN',
    })
    expect(catchOf(() => plan({ IPAMConfig: { IPv4Address: '10.2.0.1' } }))).toMatchObject({
      code: 'E_ADDRESS_INVALID',
    })
    joinNetwork(one, who.id, who.name, endpoint)
    expect(one.names.get('w')).toEqual(['10.1.0.2'])
    expect(catchOf(() => plan({}))).toMatchObject({ code: 'E_ENDPOINT_EXISTS' })
    leaveNetwork(one, who.id)
    expect([one.names.size, one.taken.size, one.endpoints.size]).toEqual([0, 0, 0])
  })

  it('has the default route by priority, then by name, never through an internal network, ingress last', () => {
    const endpoint = (networkName: string, gateway: string, gatewayPriority = 0) =>
      ({ networkName, networkId: networkName, gateway, gatewayPriority }) as EndpointRecord
    const pick = (...endpoints: EndpointRecord[]) =>
      gatewayEndpoint(endpoints, (id) => id === 'a-ingress')?.networkName
    expect(pick(endpoint('b', 'x'), endpoint('c', 'x'))).toBe('b')
    expect(pick(endpoint('b', 'x'), endpoint('c', 'x', 1))).toBe('c')
    expect(pick(endpoint('b', ''), endpoint('c', 'x'))).toBe('c')
    expect(pick(endpoint('a-ingress', 'x'), endpoint('c', 'x'))).toBe('c')
    expect(pick(endpoint('b', ''))).toBeUndefined()
  })
})

describe('filters', () => {
  it('show what all of them agree on', () => {
    const mine = record({ labels: { a: 'b', c: '' } })
    const shows = (filters: Record<string, string[]>, inUse = false) => matchesList(filters, mine, inUse)
    expect(shows({})).toBe(true)
    expect(shows({ name: ['min'], driver: ['bridge', 'overlay'], label: ['a=b', 'c'] })).toBe(true)
    expect(shows({ label: ['a=x'] })).toBe(false)
    expect(shows({ label: ['a=b', 'd'] })).toBe(false)
    expect(shows({ type: ['builtin'] })).toBe(false)
    expect(shows({ dangling: ['true'] })).toBe(true)
    expect(shows({ dangling: ['true'] }, true)).toBe(false)
    expect(shows({ id: ['111'], scope: ['local'] })).toBe(true)
    expect(catchOf(() => shows({ nonsense: ['x'] }))).toMatchObject({ code: 'E_NETWORK_OPTION' })
  })

  it('choose what a prune takes', () => {
    const now = Date.parse('2026-01-02T00:00:00Z')
    const takes = (filters: Record<string, string[]>) =>
      matchesPrune(filters, record({ labels: { a: 'b' } }), now)
    expect(takes({ until: ['12h'] })).toBe(true)
    expect(takes({ until: ['36h'] })).toBe(false)
    expect(takes({ until: [`${now / 1000}`] })).toBe(true)
    expect(takes({ 'label!': ['a'] })).toBe(false)
    expect(takes({ label: ['a=b'] })).toBe(true)
    expect(catchOf(() => takes({ until: ['soon'] }))).toMatchObject({ code: 'E_NETWORK_OPTION' })
  })
})

describe('kernel names', () => {
  it('hold the engine and fit, and avoid what is taken', () => {
    const names = namesOf('0123abcd')
    const first = names.bridge('x', () => false)
    expect(first).toMatch(/^tsb0123abcd[0-9a-z]{4}$/)
    expect(names.bridge('x', (name) => name === first)).not.toBe(first)
    expect(names.isOwn(first)).toBe(true)
    expect(names.isOwn('tsb0123abce0000')).toBe(false)
    expect(() => namesOf('xyz')).toThrow(RangeError)
  })
})

function catchOf(fn: () => unknown): unknown {
  try {
    fn()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
