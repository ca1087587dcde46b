import { decode, encode } from 'dns-packet'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listLinks } from '../../../../src/engine/kernel/netlink-links.ts'
import { waitFor } from '../../../../src/shared/deadline.ts'
import { missing, titled } from '../../../support/needs.ts'
import { ask, exchangeUdp, serve, TestHost } from '../../../support/network.ts'
import { idOf, type TestNode, TestSwarm, type TestTask } from '../../../support/network-swarm.ts'

const reason = missing('ip', 'nft')

const modes = [
  ['bridged packets pass the rules', true],
  ['bridged packets pass by the rules', false],
] as const

describe.skipIf(reason).each(modes)(
  titled('the networks of a swarm, %s', reason),
  (_mode, filtersBridged) => {
    let swarm: TestSwarm
    let [a, b, c] = [] as unknown as [TestNode, TestNode, TestNode]
    const closers: (() => void)[] = []
    beforeEach(async () => {
      swarm = new TestSwarm(filtersBridged)
      ;[a, b, c] = [await swarm.addNode(), await swarm.addNode(), await swarm.addNode()]
      swarm.addNetwork('ingress')
      swarm.addNetwork('app')
      swarm.addService('web', ['app'], [{ published: 8080, target: 80 }])
      swarm.apply()
      for (const { networks } of swarm.nodes) networks.finishAdoption()
    })
    afterEach(() => {
      for (const close of closers.splice(0)) close()
      swarm.close()
    })

    async function addServing(
      service: string,
      node: TestNode,
      networks: string[],
      port = 80,
    ): Promise<TestTask> {
      const task = swarm.addTask(service, node, networks)
      const server = await serve(task.namespace, task.id, port)
      closers.push(() => server.close())
      return task
    }
    const vip = (service: string, network = 'app') => swarm.services.get(service)!.vips.get(network)!
    const bytesOn = (node: TestNode) =>
      listLinks(node.host.socket)
        .filter(({ kind }) => kind === 'vxlan')
        .reduce((sum, { txBytes }) => sum + txBytes, 0)
    async function look(task: TestTask, name: string): Promise<string[]> {
      const question = encode({ type: 'query', id: 1, flags: 0x100, questions: [{ name, type: 'A' }] })
      const { answers } = decode(await exchangeUdp(task.namespace, '127.0.0.11', 53, question))
      return (answers ?? []).map((answer) => (answer as { data: string }).data)
    }

    it('connect tasks on different hosts by address, through VXLAN', async () => {
      const one = swarm.addTask('client', a, ['app'])
      const two = await addServing('web', b, ['app', 'ingress'])
      const before = bytesOn(a)
      expect(await ask(one.namespace, two.addresses.get('app')!, 80)).toBe(
        `${two.id} ${one.addresses.get('app')}`,
      )
      expect(bytesOn(a)).toBeGreaterThan(before)
      // Nothing is flooded: a search for an address that nobody has leaves no host.
      const quiet = bytesOn(a)
      await expect(ask(one.namespace, '10.0.1.77', 80, 500)).rejects.toThrow(/waited|EHOSTUNREACH/)
      expect(bytesOn(a)).toBe(quiet)
    })

    it('reach all other peers when one can not be reached, and say so', async () => {
      const one = swarm.addTask('client', a, ['app'])
      const two = await addServing('web', b, ['app', 'ingress'])
      const state = swarm.stateOf(a)
      const app = state.networks.find(({ name }) => name === 'app')!
      const bad = { address: '10.0.1.66', macAddress: '02:42:0a:00:01:42', host: 'fd00::1' }
      app.peers = [bad, ...app.peers]
      const { problems } = a.networks.apply({ ...state, revision: state.revision + 1 })
      expect(problems).toEqual(["network app: the host of 10.0.1.66 has no IPv4 address but 'fd00::1'"])
      expect(await ask(one.namespace, two.addresses.get('app')!, 80)).toBe(
        `${two.id} ${one.addresses.get('app')}`,
      )
    })

    it('balance a virtual address over the tasks on all hosts, the caller itself among them', async () => {
      const tasks = [
        await addServing('web', a, ['app', 'ingress']),
        await addServing('web', b, ['app', 'ingress']),
        await addServing('web', c, ['app', 'ingress']),
      ]
      const client = swarm.addTask('client', a, ['app'])
      expect(await look(client, 'web')).toEqual([vip('web')])
      expect((await look(client, 'tasks.web')).sort()).toEqual(
        tasks.map((t) => t.addresses.get('app')!).sort(),
      )
      const ids = tasks.map(({ id }) => id).sort()
      for (const from of [client, tasks[0]!]) {
        const counts = new Map<string, number>()
        for (let i = 0; i < 9; i++) {
          const [id] = (await ask(from.namespace, vip('web'), 80)).split(' ')
          counts.set(id!, (counts.get(id!) ?? 0) + 1)
        }
        expect([...counts.keys()].sort()).toEqual(ids)
        expect([...counts.values()]).toEqual([3, 3, 3])
      }
    })

    it('answer published ports on every host, whether or not a task is there', async () => {
      const outside = new TestHost()
      closers.push(() => outside.close())
      const client = swarm.lan.join(outside)
      const tasks = [
        await addServing('web', a, ['app', 'ingress']),
        await addServing('web', b, ['app', 'ingress']),
      ]
      for (const node of swarm.nodes) {
        const seen = new Map<string, string>()
        for (let i = 0; i < 4; i++) {
          const [id, from] = (await ask(outside.namespace, node.address, 8080)).split(' ')
          seen.set(id!, from!)
        }
        expect([...seen.keys()].sort()).toEqual(tasks.map(({ id }) => id).sort())
        for (const [id, from] of seen) {
          const isLocal = tasks.find((task) => task.id === id)!.node === node
          // A task on the host that was asked sees the client, others the host.
          expect(from).toBe(isLocal ? client : `10.0.0.${swarm.nodes.indexOf(node) + 2}`)
        }
        expect(await ask(node.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
        expect(await ask(node.host.namespace, node.address, 8080)).toMatch(/^web/)
      }
      const inside = swarm.addTask('client', c, ['app'])
      expect(await ask(inside.namespace, c.address, 8080)).toMatch(/^web/)
      expect(await ask(inside.namespace, a.address, 8080)).toMatch(/^web/)
      expect(await ask(tasks[0]!.namespace, a.address, 8080)).toMatch(/^web/)
    })

    it('follow tasks that stop, move and come back, from one state to the next', async () => {
      const first = await addServing('web', b, ['app', 'ingress'])
      const client = swarm.addTask('client', a, ['app'])
      expect(await ask(client.namespace, vip('web'), 80)).toMatch(first.id)
      // Out of the balance first: still there for those who have its address.
      first.live = false
      swarm.apply()
      await expect(ask(client.namespace, vip('web'), 80)).rejects.toThrow(/ECONNREFUSED/)
      await expect(ask(a.host.namespace, '127.0.0.1', 8080)).rejects.toThrow(/ECONNREFUSED/)
      expect(await look(client, 'tasks.web')).toEqual([])
      expect(await ask(client.namespace, first.addresses.get('app')!, 80)).toMatch(first.id)
      swarm.removeTask(first)
      const second = await addServing('web', c, ['app', 'ingress'])
      expect(await ask(client.namespace, vip('web'), 80)).toMatch(second.id)
      expect(await ask(b.host.namespace, '127.0.0.1', 8080)).toMatch(second.id)
    })

    it('go over the UDP port that the swarm has', async () => {
      swarm.addNetwork('own', { dataPathPort: 7789 })
      swarm.addService('db', ['own'])
      swarm.apply()
      const client = swarm.addTask('client', a, ['own'])
      await addServing('db', b, ['own'])
      expect(await ask(client.namespace, vip('db', 'own'), 80)).toMatch(/^db/)
      const ports = (node: TestNode) => listLinks(node.host.socket).flatMap(({ udpPort = [] }) => udpPort)
      expect(ports(a).sort()).toEqual([4789, 4789, 7789])
      for (const { name } of listLinks(a.host.socket).filter(({ udpPort }) => udpPort === 7789)) {
        const { mtu } = listLinks(a.host.socket).find((link) => link.name === name)!
        const id = `${swarm.stateOf(a).networks.at(-1)!.vni}`
        a.host.run('ip', 'link', 'delete', name)
        a.host.run('ip', 'link', 'add', name, 'mtu', `${mtu}`, 'type', 'vxlan', 'id', id, 'dstport', '4790')
      }
      a.networks.checkNow()
      expect(ports(a).sort()).toEqual([4789, 4789, 7789])
      expect(await ask(client.namespace, vip('db', 'own'), 80)).toMatch(/^db/)
    })

    it('reach the outside, unless they are internal', async () => {
      const outside = new TestHost()
      closers.push(() => outside.close())
      const address = swarm.lan.join(outside)
      const server = await serve(outside.namespace, 'outside', 80)
      closers.push(() => server.close())
      swarm.addNetwork('shut', { internal: true })
      swarm.apply()
      const open = swarm.addTask('client', b, ['app'])
      const shut = swarm.addTask('client', b, ['shut'])
      expect(await ask(open.namespace, address, 80)).toBe(`outside ${b.address}`)
      await expect(ask(shut.namespace, address, 80, 400)).rejects.toThrow(/ENETUNREACH/)
    })

    it('change nothing when the same state comes again, and mend what others change', async () => {
      await addServing('web', b, ['app', 'ingress'])
      const client = swarm.addTask('client', a, ['app'])
      swarm.apply()
      expect(swarm.apply().map(({ changes }) => changes)).toEqual([0, 0, 0])
      const vxlans = listLinks(a.host.socket).filter(({ kind }) => kind === 'vxlan')
      for (const { name } of vxlans) a.host.run('ip', 'link', 'delete', name)
      for (const { name } of listLinks(b.host.socket).filter(({ name }) => name.startsWith('tso'))) {
        b.host.run('ip', 'neigh', 'flush', 'dev', name, 'nud', 'permanent')
        b.host.run('ip', 'addr', 'flush', 'dev', name)
      }
      await expect(ask(client.namespace, vip('web'), 80, 400)).rejects.toThrow()
      for (const { networks } of swarm.nodes) networks.checkNow()
      expect(await ask(client.namespace, vip('web'), 80)).toMatch(/^web/)
      expect(await ask(a.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
      expect(a.networks.repairs.devices).toBe(2)
      expect(b.networks.repairs.devices).toBe(2)
      expect(c.networks.repairs.devices).toBe(0)
      a.host.run('nft', 'flush', 'ruleset')
      await waitFor('the repair', () => (a.networks.repairs.firewall === 1 ? true : undefined), {
        timeoutMs: 3000,
      })
      expect(await ask(a.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
    })

    it('are there again after a restart of the daemon, without a pause', async () => {
      await addServing('web', b, ['app', 'ingress'])
      const state = swarm.stateOf(a)
      a.networks.close()
      expect(await ask(a.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
      a.networks = await a.host.open({ engineId: '0000aa00' })
      a.networks.finishAdoption()
      expect(await ask(a.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
      expect(a.networks.apply(state)).toEqual({
        changes: expect.any(Number),
        problems: [],
        missing: [],
      })
      expect(a.networks.apply(state).changes).toBe(0)
      expect(await ask(a.host.namespace, '127.0.0.1', 8080)).toMatch(/^web/)
      expect(a.networks.inspect('app')).toMatchObject({ Id: idOf('app'), Scope: 'swarm', Driver: 'overlay' })
      expect(() => a.networks.remove('app')).toThrow(/belongs to the swarm/)
    })

    it('leave a port to the program that has it, and say so', async () => {
      const program = await serve(a.host.namespace, 'program', 9000)
      closers.push(() => program.close())
      swarm.addService('other', ['app'], [{ published: 9000, target: 80 }])
      const [onA, onB] = [swarm.apply()[0]!, swarm.apply()[1]!]
      expect(onA.problems).toEqual([expect.stringMatching(/^port 9000\/tcp of service other: .*EADDRINUSE/)])
      expect(onB.problems).toEqual([])
      await addServing('other', b, ['app', 'ingress'])
      expect(await ask(a.host.namespace, '127.0.0.1', 9000)).toMatch(/^program/)
      expect(await ask(c.host.namespace, '127.0.0.1', 9000)).toMatch(/^other/)
    })

    it('name those that can not be made, and make them when the same state comes again', async () => {
      swarm.addNetwork('late')
      const state = swarm.stateOf(a)
      const { id, vni } = state.networks.at(-1)!
      a.host.run('ip', 'link', 'add', 'other', 'type', 'vxlan', 'id', `${vni}`, 'dstport', '4789')
      expect(a.networks.apply(state)).toMatchObject({
        problems: [expect.stringMatching(/^network late: .*EEXIST/)],
        missing: [id],
      })
      a.host.run('ip', 'link', 'delete', 'other')
      expect(a.networks.apply(state)).toMatchObject({ problems: [], missing: [] })
    })

    it('leave nothing behind when the host leaves the swarm', async () => {
      const links = () => listLinks(a.host.socket).map(({ name }) => name)
      const task = swarm.addTask('web', a, ['app', 'ingress'])
      a.networks.detachContainer(task.id.padEnd(64, '0'))
      a.networks.apply({ revision: 99, networks: [], ingressPorts: [] })
      await waitFor('the devices to go', () => (links().length === 3 ? true : undefined), { timeoutMs: 3000 })
      expect(links()).toEqual(['lo', 'eth0', 'tsb0000aa00'])
      expect(a.host.ruleset()).not.toContain('10.0.')
      expect(a.host.log.lines.filter((line) => line.startsWith('error'))).toEqual([])
    })
  },
)
