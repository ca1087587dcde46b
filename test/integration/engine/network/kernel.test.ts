import { execFile, execFileSync } from 'node:child_process'
import { closeSync } from 'node:fs'
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { NetlinkSocket } from '../../../../src/engine/kernel/netlink.ts'
import {
  addAddress,
  listAddresses,
  listRoutes,
  replaceRoute,
} from '../../../../src/engine/kernel/netlink-addresses.ts'
import {
  addBridge,
  addVeth,
  addVxlan,
  changeBridgePort,
  changeLink,
  deleteLink,
  getLink,
  listLinks,
  needLink,
} from '../../../../src/engine/kernel/netlink-links.ts'
import {
  deleteForwarding,
  deleteNeighbour,
  listBridgeForwarding,
  listForwarding,
  listNeighbours,
  replaceForwarding,
  replaceNeighbour,
} from '../../../../src/engine/kernel/netlink-neighbours.ts'
import {
  closeNamespace,
  createNamespace,
  inNamespace,
  namespaceId,
  openOwnNamespace,
} from '../../../../src/engine/kernel/netns.ts'
import { openBoundSocket, portOf, reservePort } from '../../../../src/engine/kernel/netns-sockets.ts'
import { NftGeneration, openNft } from '../../../../src/engine/kernel/nft.ts'
import { missing, titled } from '../../../support/needs.ts'

const reason = missing('ip', 'nft')

describe.skipIf(reason)(titled("the kernel's network doors", reason), () => {
  const opened: (() => void)[] = []
  afterEach(() => {
    for (const close of opened.splice(0).reverse()) close()
  })

  function host(): { namespace: number; socket: NetlinkSocket; ip: (args: string) => string } {
    const namespace = createNamespace()
    const socket = NetlinkSocket.open({ namespace })
    opened.push(
      () => closeNamespace(namespace),
      () => socket.close(),
    )
    const ip = (args: string) =>
      inNamespace(namespace, () => execFileSync('ip', args.split(' '), { encoding: 'utf8' }))
    return { namespace, socket, ip }
  }

  it('makes devices that ip(8) sees as they were asked for', () => {
    const { namespace, socket, ip } = host()
    const other = host()
    socket.execute([
      addBridge({ name: 'br0', mac: '02:42:00:00:00:01', up: true }),
      changeLink('br0', { mtu: 1400 }),
      addVeth({
        name: 'v0',
        up: true,
        peer: { name: 'eth0', namespace: other.namespace, mac: '02:42:ac:11:00:02' },
      }),
      addVxlan({ name: 'vx0', vni: 4097, port: 4789, up: true }),
    ])
    const bridge = needLink(socket, 'br0')
    socket.execute([
      changeLink('v0', { master: bridge.index, ipv6LinkLocal: false }),
      changeLink('vx0', { master: bridge.index }),
      changeBridgePort('vx0', { learning: false, broadcastFlood: false, neighbourSuppress: true }),
      addAddress({ link: bridge.index, address: '172.17.0.1', prefixLength: 16 }),
    ])
    expect(JSON.parse(ip('-j -d link show br0'))[0]).toMatchObject({
      address: '02:42:00:00:00:01',
      mtu: 1400,
      linkinfo: { info_kind: 'bridge', info_data: { forward_delay: 0, stp_state: 0, mcast_snooping: 0 } },
    })
    expect(JSON.parse(ip('-j -d link show vx0'))[0]).toMatchObject({
      master: 'br0',
      linkinfo: {
        info_data: { id: 4097, port: 4789, learning: false },
        info_slave_data: { learning: false, bcast_flood: false, neigh_suppress: true, flood: true },
      },
    })
    expect(needLink(other.socket, 'eth0')).toMatchObject({
      kind: 'veth',
      mac: '02:42:ac:11:00:02',
      up: false,
    })
    expect(needLink(socket, 'v0')).toMatchObject({ master: bridge.index, peerIsElsewhere: true, up: true })
    expect(listLinks(socket).map(({ name }) => name)).toEqual(['lo', 'br0', 'v0', 'vx0'])
    expect(listAddresses(socket)).toEqual([{ link: bridge.index, address: '172.17.0.1', prefixLength: 16 }])
    socket.execute([deleteLink('v0'), deleteLink('v0')])
    expect(getLink(socket, 'v0')).toBeUndefined()
    expect(getLink(other.socket, 'eth0')).toBeUndefined()
    expect(namespaceId(namespace)).not.toBe(namespaceId(other.namespace))
  })

  it('sets routes, neighbours and forwarding entries, and lists them', () => {
    const { socket } = host()
    socket.execute([
      changeLink('lo', { up: true }),
      addBridge({ name: 'br0', up: true }),
      addVxlan({ name: 'vx0', vni: 5, port: 4789, up: true }),
    ])
    const [bridge, vxlan] = [needLink(socket, 'br0').index, needLink(socket, 'vx0').index]
    socket.execute([
      changeLink('vx0', { master: bridge }),
      addAddress({ link: bridge, address: '10.1.0.1', prefixLength: 24 }),
      addAddress({ link: bridge, address: '10.1.0.1', prefixLength: 24 }),
      replaceRoute({ destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.0.7' }),
      replaceRoute({ destination: '0.0.0.0', prefixLength: 0, gateway: '10.1.0.8' }),
    ])
    const mac = '02:42:0a:01:00:09'
    for (const end of ['10.9.0.2', '10.9.0.3']) {
      socket.execute([
        replaceForwarding({ link: vxlan, mac, host: end }),
        replaceNeighbour({ link: bridge, address: '10.1.0.9', mac }),
      ])
    }
    expect(listRoutes(socket)).toContainEqual({
      destination: '0.0.0.0',
      prefixLength: 0,
      gateway: '10.1.0.8',
      link: bridge,
    })
    expect(listForwarding(socket, vxlan)).toEqual([{ link: vxlan, mac, host: '10.9.0.3' }])
    expect(listBridgeForwarding(socket, bridge, vxlan)).toContain(mac)
    expect(listNeighbours(socket, bridge)).toEqual([{ link: bridge, address: '10.1.0.9', mac }])
    for (let i = 0; i < 2; i++) {
      socket.execute([
        ...deleteForwarding({ link: vxlan, mac }),
        deleteNeighbour({ link: bridge, address: '10.1.0.9' }),
      ])
    }
    expect(listForwarding(socket, vxlan)).toEqual([])
    expect(listBridgeForwarding(socket, bridge, vxlan)).not.toContain(mac)
    expect(listNeighbours(socket, bridge)).toEqual([])
  })

  it("does the rest of a batch when one request fails, and throws that one with the kernel's words", () => {
    const { socket } = host()
    const vxlan = { vni: 5, port: 4789 }
    expect(() =>
      socket.execute([
        addVxlan({ name: 'vx0', ...vxlan }),
        addVxlan({ name: 'vx1', ...vxlan }),
        addBridge({ name: 'br0' }),
      ]),
    ).toThrow(/^add vxlan vx1: EEXIST, A VXLAN device with the specified VNI already exists$/)
    expect(listLinks(socket).map(({ name }) => name)).toEqual(['lo', 'vx0', 'br0'])
  })

  it('takes batches that are longer than a receive buffer', () => {
    const { socket } = host()
    socket.execute([addBridge({ name: 'br0', up: true })])
    const link = needLink(socket, 'br0').index
    const all = Array.from({ length: 2000 }, (_, i) => ({
      link,
      address: `10.1.${i >> 8}.${i & 255}`,
      mac: `02:42:0a:01:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`,
    }))
    socket.execute(all.map(replaceNeighbour))
    expect(listNeighbours(socket, link)).toHaveLength(2000)
    expect(() =>
      socket.execute(all.map(({ address }) => addAddress({ link: 99, address, prefixLength: 24 }))),
    ).toThrow(/^add address 10\.1\.0\.0\/24: ENODEV/)
    expect(getLink(socket, 'br0')).toBeDefined()
  })

  it('comes back from a namespace also when the function throws', () => {
    const home = openOwnNamespace()
    opened.push(() => closeNamespace(home))
    const here = () => {
      const fd = openOwnNamespace()
      opened.push(() => closeNamespace(fd))
      return namespaceId(fd)
    }
    const { namespace } = host()
    expect(inNamespace(namespace, here)).toBe(namespaceId(namespace))
    expect(() =>
      inNamespace(namespace, () => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(here()).toBe(namespaceId(home))
  })

  it('opens sockets inside a namespace and serves them from here', async () => {
    const { namespace, socket } = host()
    socket.execute([changeLink('lo', { up: true })])
    const fd = openBoundSocket({ protocol: 'tcp', address: '127.0.0.11', port: 0, namespace })
    const port = portOf(fd)
    const server = createServer((client) => client.end('hello\n'))
    await new Promise<void>((resolve) => server.listen({ fd }, resolve))
    opened.push(() => server.close())
    const asked = new Promise<string>((resolve, reject) => {
      // The child is forked inside the namespace; its pipes are this process's.
      inNamespace(namespace, () => {
        execFile('busybox', ['nc', '127.0.0.11', `${port}`], (error, out) =>
          error ? reject(error) : resolve(out),
        )
      })
    })
    expect(await asked).toBe('hello\n')
  })

  it('holds ports against other programs, and lets go', () => {
    const { namespace, socket } = host()
    socket.execute([changeLink('lo', { up: true })])
    for (const protocol of ['tcp', 'udp'] as const) {
      const at = { protocol, address: '0.0.0.0', port: 8080, namespace }
      const held = reservePort(at)
      expect(() => reservePort(at)).toThrow(/EADDRINUSE/)
      expect(() => reservePort({ ...at, address: '127.0.0.1' })).toThrow(/EADDRINUSE/)
      closeSync(held)
      closeSync(reservePort(at))
    }
    expect(() => reservePort({ protocol: 'tcp', address: '10.99.0.1', port: 1, namespace })).toThrow(
      /EADDRNOTAVAIL/,
    )
    const held = reservePort({ protocol: 'tcp', address: '0.0.0.0', port: 8080, namespace })
    opened.push(() => closeSync(held))
    // A server that sets SO_REUSEADDR, as all do, can't listen there either.
    expect(() =>
      inNamespace(namespace, () =>
        execFileSync('busybox', ['nc', '-l', '-p', '8080'], { timeout: 2000, stdio: 'pipe' }),
      ),
    ).toThrow(/in use/)
  })

  it.each(['library', 'command'] as const)('applies rulesets as one transaction by the %s', (kind) => {
    const { namespace } = host()
    const nft = openNft(kind).open(namespace)
    opened.push(() => nft.close())
    const generation = new NftGeneration(namespace)
    opened.push(() => generation.close())
    const before = generation.read()
    nft.run('add table ip x\nadd chain ip x c\nadd rule ip x c accept')
    expect(generation.read()).toBe(before + 1)
    expect(nft.run('list table ip x')).toBe('table ip x {\n\tchain c {\n\t\taccept\n\t}\n}\n')
    expect(() => nft.run('add table ip y\nadd rule ip x nowhere accept')).toThrow(
      /^nft: Could not process rule: No such file or directory$/,
    )
    expect(nft.run('list tables')).toBe('table ip x\n')
    expect(generation.read()).toBe(before + 1)
  })
})
