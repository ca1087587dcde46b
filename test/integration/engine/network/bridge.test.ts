import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listLinks } from '../../../../src/engine/kernel/netlink-links.ts'
import { inNamespace } from '../../../../src/engine/kernel/netns.ts'
import type { Networks } from '../../../../src/engine/network/networks.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { missing, titled } from '../../../support/needs.ts'
import {
  ask,
  askUdp,
  containerRequest,
  Lan,
  runIn,
  serve,
  serveUdp,
  TestHost,
} from '../../../support/network.ts'

const reason = missing('ip', 'nft', 'busybox')

const modes = [
  ['bridged packets pass the rules', true],
  ['bridged packets pass by the rules', false],
] as const

describe.skipIf(reason).each(modes)(titled('a bridge network, %s', reason), (_mode, filtersBridged) => {
  let host: TestHost
  let networks: Networks
  const closers: (() => void)[] = []
  beforeEach(async () => {
    host = new TestHost(filtersBridged)
    networks = await host.open()
    networks.finishAdoption()
  })
  afterEach(() => {
    for (const close of closers.splice(0)) close()
    host.close()
  })

  /** Attaches a container and returns its namespace and address. */
  function attach(id: string, change: Parameters<typeof containerRequest>[1] = {}) {
    const request = containerRequest(id, change)
    const { namespace, files } = networks.attachContainer(request)
    if (namespace.kind !== 'join') throw new Error(`${id} has no namespace of its own`)
    const settings = networks.containerSettings(request)
    return {
      id: request.id,
      fd: namespace.fd,
      files,
      settings,
      address: Object.values(settings.Networks)[0]!.IPAddress,
    }
  }

  async function serving(id: string, port: number, change: Parameters<typeof containerRequest>[1] = {}) {
    const container = attach(id, change)
    closers.push(closeOf(await serve(container.fd, id, port)))
    return container
  }
  const closeOf = (server: { close(): void }) => () => server.close()

  it('gives containers an address, a default route and a way to each other', async () => {
    const [a, b] = [attach('a'), await serving('b', 80)]
    expect([a.address, b.address]).toEqual(['172.17.0.2', '172.17.0.3'])
    expect(runIn(a.fd, 'ip', '-br', 'address', 'show', 'eth0')).toMatch(/UP +172\.17\.0\.2\/16 *\n/)
    expect(runIn(a.fd, 'ip', 'route')).toMatch(/^default via 172\.17\.0\.1 dev eth0/)
    expect(runIn(a.fd, 'ip', 'link', 'show', 'eth0')).toContain('02:42:ac:11:00:02')
    expect(await ask(a.fd, b.address, 80)).toBe('b 172.17.0.2')
    expect(await ask(host.namespace, b.address, 80)).toBe('b 172.17.0.1')
    expect(a.settings.IPAddress).toBe('172.17.0.2')
  })

  it('reaches the outside with the address of the host, and is not reached from there but by published ports', async () => {
    const lan = new Lan()
    const outside = new TestHost()
    closers.push(
      () => lan.close(),
      () => outside.close(),
    )
    const [own, other] = [lan.join(host), lan.join(outside)]
    closers.push(closeOf(await serve(outside.namespace, 'outside', 80)))
    const web = await serving('web', 80, {
      ports: { bindings: { '80/tcp': [{ HostIp: '', HostPort: '8080' }] } },
    })
    expect(await ask(web.fd, other, 80)).toBe(`outside ${own}`)
    expect(await ask(outside.namespace, own, 8080)).toBe(`web ${other}`)
    // Somebody on the link who routes to the container directly gets nothing.
    outside.run('ip', 'route', 'add', '172.17.0.0/16', 'via', own)
    await expect(ask(outside.namespace, web.address, 80, 400)).rejects.toThrow(/waited/)
    // Nor does somebody who sends to the host's loopback.
    outside.run('sysctl', '-qw', 'net.ipv4.conf.all.route_localnet=1')
    outside.run('ip', 'route', 'add', '127.0.0.9/32', 'via', own)
    await serving('local', 80, {
      ports: { bindings: { '80/tcp': [{ HostIp: '127.0.0.9', HostPort: '9090' }] } },
    })
    expect(await ask(host.namespace, '127.0.0.9', 9090)).toMatch(/^local /)
    await expect(ask(outside.namespace, '127.0.0.9', 9090, 400)).rejects.toThrow(/waited|ECONNREFUSED|EHOST/)
  })

  it('publishes ports to the host itself, its loopback, other containers, and the container itself', async () => {
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    const web = await serving('web', 80, { ports: { bindings } })
    const other = attach('other')
    await networks.create({ Name: 'apart' })
    const apart = attach('apart1', { networkMode: 'apart' })
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toBe('web 172.17.0.1')
    expect(await ask(host.namespace, '172.17.0.1', 8080)).toMatch(/^web 172\.17\.0\.1/)
    expect(await ask(other.fd, '172.17.0.1', 8080)).toBe('web 172.17.0.1')
    expect(await ask(web.fd, '172.17.0.1', 8080)).toBe('web 172.17.0.1')
    expect(await ask(apart.fd, '172.17.0.1', 8080)).toBe('web 172.17.0.1')
    expect(web.settings.Ports).toEqual({ '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }] })
    networks.detachContainer(web.id)
    await expect(ask(host.namespace, '127.0.0.1', 8080)).rejects.toThrow(/ECONNREFUSED/)
  })

  it('publishes udp, ranges, any free port, and on one address of the host only', async () => {
    const lan = new Lan()
    closers.push(() => lan.close())
    const own = lan.join(host)
    const { fd, settings } = attach('many', {
      ports: {
        bindings: {
          '53/udp': [{ HostIp: '', HostPort: '5353' }],
          '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }],
          '81/tcp': [{ HostIp: own, HostPort: '' }],
        },
        exposed: { '82/tcp': {}, '80/tcp': {} },
        publishAll: true,
      },
    })
    for (const port of [80, 81, 82]) closers.push(closeOf(await serve(fd, `p${port}`, port)))
    closers.push(closeOf(await serveUdp(fd, 'dns', 53)))
    const portOf = (key: string) => Number(settings.Ports[key]![0]!.HostPort)
    expect(settings.Ports['80/tcp']).toEqual([{ HostIp: '127.0.0.1', HostPort: '8000' }])
    expect(portOf('81/tcp')).toBeGreaterThan(1023)
    expect(await askUdp(host.namespace, own, 5353)).toMatch(/^dns /)
    expect(await ask(host.namespace, '127.0.0.1', 8000)).toMatch(/^p80 /)
    await expect(ask(host.namespace, own, 8000)).rejects.toThrow(/ECONNREFUSED/)
    expect(await ask(host.namespace, own, portOf('81/tcp'))).toMatch(/^p81 /)
    await expect(ask(host.namespace, '127.0.0.1', portOf('81/tcp'))).rejects.toThrow(/ECONNREFUSED/)
    expect(await ask(host.namespace, own, portOf('82/tcp'))).toMatch(/^p82 /)
    const second = attach('second', {
      ports: { bindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8000-8010' }] } },
    })
    expect(second.settings.Ports['80/tcp']).toEqual([{ HostIp: '127.0.0.1', HostPort: '8001' }])
  })

  it('refuses a port that another container, another engine or a program has, and leaves nothing behind', async () => {
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    attach('first', { ports: { bindings } })
    const before = [host.ruleset(), listLinks(host.socket).map(({ name }) => name)]
    const taken = /Bind for 0\.0\.0\.0:8080 failed: port is already allocated/
    expect(() => attach('second', { ports: { bindings } })).toThrow(taken)
    expect([host.ruleset(), listLinks(host.socket).map(({ name }) => name)]).toEqual(before)
    expect(attach('third').address).toBe('172.17.0.3')
    const other = await host.open({ engineId: '0000bbbb' })
    expect(() => other.attachContainer(containerRequest('x', { ports: { bindings } }))).toThrow(taken)
    closers.push(closeOf(await serve(host.namespace, 'program', 9000, '127.0.0.1')))
    const onProgram = { '80/tcp': [{ HostIp: '', HostPort: '9000' }] }
    expect(() => attach('fourth', { ports: { bindings: onProgram } })).toThrow(/port is already allocated/)
    const nowhere = { '80/tcp': [{ HostIp: '10.99.99.99', HostPort: '9000' }] }
    expect(() => attach('fifth', { ports: { bindings: nowhere } })).toThrow(
      /cannot assign requested address 10\.99\.99\.99/,
    )
  })

  it('keeps networks apart, and an internal one from the outside', async () => {
    const lan = new Lan()
    const outside = new TestHost()
    closers.push(
      () => lan.close(),
      () => outside.close(),
    )
    lan.join(host)
    const other = lan.join(outside)
    closers.push(closeOf(await serve(outside.namespace, 'outside', 80)))
    await networks.create({ Name: 'one' })
    await networks.create({ Name: 'two' })
    await networks.create({ Name: 'closed', Internal: true })
    const one = await serving('c1', 80, { networkMode: 'one' })
    const two = await serving('c2', 80, { networkMode: 'two' })
    const [shut, shut2] = [
      attach('c3', { networkMode: 'closed' }),
      await serving('c4', 80, { networkMode: 'closed' }),
    ]
    expect([one.address, two.address]).toEqual(['172.18.0.2', '172.19.0.2'])
    await expect(ask(one.fd, two.address, 80, 400)).rejects.toThrow(/waited/)
    expect(await ask(shut.fd, shut2.address, 80)).toMatch(/^c4/)
    await expect(ask(shut.fd, other, 80, 400)).rejects.toThrow(/ENETUNREACH/)
    runIn(shut.fd, 'ip', 'route', 'add', 'default', 'via', '172.20.0.1')
    await expect(ask(shut.fd, other, 80, 400)).rejects.toThrow(/waited/)
    expect(await ask(one.fd, other, 80)).toMatch(/^outside/)
  })

  it('keeps two engines on one host apart, and removes one without touching the other', async () => {
    const second = await host.open({ engineId: '0000bbbb' })
    expect(second.inspect('bridge').IPAM.Config).toEqual([{ Subnet: '172.18.0.0/16', Gateway: '172.18.0.1' }])
    const mine = await serving('mine', 80)
    const request = containerRequest('theirs')
    const theirs = second.attachContainer(request).namespace
    if (theirs.kind !== 'join') throw new Error('no namespace')
    closers.push(closeOf(await serve(theirs.fd, 'theirs', 80)))
    const address = second.containerSettings(request).IPAddress
    await expect(ask(theirs.fd, mine.address, 80, 400)).rejects.toThrow(/waited/)
    await expect(ask(mine.fd, address, 80, 400)).rejects.toThrow(/waited/)
    second.detachContainer(request.id)
    expect(await ask(host.namespace, mine.address, 80)).toMatch(/^mine/)
  })

  it('keeps the containers of a network apart where icc is off', async () => {
    await networks.create({ Name: 'alone', Options: { 'com.docker.network.bridge.enable_icc': 'false' } })
    const [a, b] = [attach('a', { networkMode: 'alone' }), await serving('b', 80, { networkMode: 'alone' })]
    await expect(ask(a.fd, b.address, 80, 400)).rejects.toThrow(/waited|EHOSTUNREACH/)
    expect(await ask(host.namespace, b.address, 80)).toMatch(/^b/)
  })

  it('adds and removes networks of a running container, the default route and ports with them', async () => {
    await networks.create({ Name: 'inner', Internal: true })
    await networks.create({ Name: 'outer', Options: { 'com.docker.network.driver.mtu': '1400' } })
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    const web = await serving('web', 80, { networkMode: 'inner', ports: { bindings } })
    await expect(ask(host.namespace, '127.0.0.1', 8080)).rejects.toThrow(/ECONNREFUSED/)
    networks.connectContainer(web.id, 'outer', { Aliases: ['w'], IPAMConfig: { IPv4Address: '172.19.0.77' } })
    expect(runIn(web.fd, 'ip', 'route')).toContain('default via 172.19.0.1 dev eth1')
    expect(runIn(web.fd, 'ip', 'link', 'show', 'eth1')).toContain('mtu 1400')
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    expect(() => networks.connectContainer(web.id, 'outer')).toThrow(/already exists in network outer/)
    expect(networks.inspect('outer').Containers[web.id]).toMatchObject({
      Name: 'web',
      IPv4Address: '172.19.0.77/16',
    })
    expect(() => networks.remove('outer')).toThrow(/has active endpoints \(name: web\)/)
    networks.disconnectContainer(web.id, 'outer')
    expect(runIn(web.fd, 'ip', 'route')).not.toContain('default')
    await expect(ask(host.namespace, '127.0.0.1', 8080)).rejects.toThrow(/ECONNREFUSED/)
    networks.remove('outer')
    expect(() => networks.inspect('outer')).toThrow(/network outer not found/)
  })

  it('survives a restart of the daemon, with the containers that run, and frees what the others had', async () => {
    await networks.create({ Name: 'mine', Labels: { a: 'b' } })
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    const web = await serving('web', 80, { networkMode: 'mine', ports: { bindings } })
    const gone = attach('gone', { networkMode: 'mine' })
    const child = inNamespace(web.fd, () => spawn('sleep', ['100'])) as unknown as {
      pid: number
      kill(): void
    }
    closers.push(() => child.kill())
    const before = networks.inspect('mine')
    networks.close()
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    networks = await host.open()
    expect(
      networks
        .list()
        .map(({ Name }) => Name)
        .sort(),
    ).toEqual(['bridge', 'host', 'mine', 'none'])
    expect(networks.adoptContainer(web.id, child.pid!)).toBe(true)
    expect(networks.adoptContainer('f'.repeat(64), child.pid!)).toBe(false)
    networks.finishAdoption()
    const after = networks.inspect('mine')
    expect(after.Containers).toEqual({ [web.id]: before.Containers[web.id] })
    expect({ ...after, Containers: {} }).toEqual({ ...before, Containers: {} })
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    expect(attach('again', { networkMode: 'mine' }).address).toBe(gone.address)
  })

  it('repairs what others flush or change, and counts it', async () => {
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    await serving('web', 80, { ports: { bindings } })
    expect(networks.repairs.firewall).toBe(0)
    host.run('nft', 'flush', 'ruleset')
    await expect(ask(host.namespace, '127.0.0.1', 8080)).rejects.toThrow(/ECONNREFUSED/)
    await waitFor('the repair', () => (networks.repairs.firewall === 1 ? true : undefined), {
      timeoutMs: 3000,
    })
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    // Somebody else's table is none of ours, and no reason to mend.
    host.run('nft', 'add', 'table', 'ip', 'theirs')
    host.run('nft', 'delete', 'element', 'ip', 'tshost_0000aaaa', 'ports', '{ tcp . 8080 }')
    await waitFor('the second', () => (networks.repairs.firewall === 2 ? true : undefined), {
      timeoutMs: 3000,
    })
    host.run('nft', 'flush', 'table', 'ip', 'tshost_0000aaaa')
    // A change of ours finds it too.
    host.run('nft', 'delete', 'table', 'ip', 'tshost_0000aaaa')
    attach('more', { ports: { bindings: { '80/tcp': [{ HostIp: '', HostPort: '8081' }] } } })
    expect(networks.repairs.firewall).toBeGreaterThanOrEqual(3)
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
  })

  it('makes a bridge anew that others removed, with the running containers on it', async () => {
    await networks.create({ Name: 'mine', Options: { 'com.docker.network.bridge.name': 'mine0' } })
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    const web = await serving('web', 80, { networkMode: 'mine', ports: { bindings } })
    host.run('ip', 'link', 'delete', 'mine0')
    // The next container does not wait for the check.
    const other = attach('other', { networkMode: 'mine' })
    expect(await ask(other.fd, web.address, 80)).toMatch(/^web/)
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    const { devices } = networks.repairs
    expect(devices).toBeGreaterThan(0)
    host.run('ip', 'link', 'delete', 'mine0')
    networks.checkNow()
    expect(networks.repairs.devices).toBeGreaterThan(devices)
    expect(await ask(other.fd, web.address, 80)).toMatch(/^web/)
    expect(await ask(host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    networks.checkNow()
    expect(networks.repairs.devices).toBe(devices + 2 + 1)
  })

  it.each([
    ['no JSON', '{"version":1,"id":"'],
    ['no network', '{"version":1}'],
  ])('whose record is damaged (%s) is put aside once, and its bridge goes', async (_how, text) => {
    const names = () => listLinks(host.socket).map(({ name }) => name)
    const before = names()
    const { Id } = await networks.create({ Name: 'mine' })
    networks.close()
    const folder = join(host.folder, '0000aaaa/network/networks')
    writeFileSync(join(folder, `${Id}.json`), text)
    for (const expected of [1, 0]) {
      host.log.lines.length = 0
      networks = await host.open()
      networks.finishAdoption()
      expect(host.log.lines.filter((line) => line.startsWith('error'))).toHaveLength(expected)
      expect(names()).toEqual(before)
      networks.close()
    }
    expect(readFileSync(join(folder, `${Id}.json.damaged`), 'utf8')).toBe(text)
    networks = await host.open()
    await networks.create({ Name: 'mine' })
  })

  it('leaves nothing in the kernel when all is removed', async () => {
    const names = () => listLinks(host.socket).map(({ name }) => name)
    const before = [host.ruleset(), names()]
    await networks.create({ Name: 'mine' })
    const bindings = { '80/tcp': [{ HostIp: '', HostPort: '8080' }] }
    const containers = ['a', 'b', 'c'].map((id, i) =>
      attach(id, { networkMode: i ? 'mine' : 'bridge', ports: { bindings: i ? {} : bindings } }),
    )
    for (const { id } of containers) networks.detachContainer(id)
    networks.remove('mine')
    await waitFor('the devices to go', () => (names().length === before[1]!.length ? true : undefined), {
      timeoutMs: 3000,
    })
    expect([host.ruleset(), names()]).toEqual(before)
    expect(host.log.lines.filter((line) => line.startsWith('error'))).toEqual([])
  })
})
