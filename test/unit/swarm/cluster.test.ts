import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { StreamLog } from '../../support/stream-log.ts'
import { FakeCluster } from '../../support/swarm-cluster.ts'

let cluster: FakeCluster | undefined
afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})
const make = async (...args: Parameters<typeof FakeCluster.make>) => {
  cluster = await FakeCluster.make(...args)
  return cluster
}
const soon = { timeoutMs: 8000, everyMs: 10 }
const replicas = (Replicas: number) => ({ Mode: { Replicated: { Replicas } } })
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('a swarm', () => {
  it('is begun by one and joined by others, and runs what it is told on all of them', async () => {
    const c = await make(3)
    expect(
      [...c.view.all('node')].map((node) => [node.Description?.Hostname, node.Spec.Role, node.Status.State]),
    ).toEqual([
      ['m1', 'manager', 'ready'],
      ['w1', 'worker', 'ready'],
      ['w2', 'worker', 'ready'],
      ['w3', 'worker', 'ready'],
    ])
    await c.setService('web', replicas(8))
    await c.settled('web', 8)
    expect(c.hosts.map((host) => host.engine.running().length)).toEqual([2, 2, 2, 2])
    const { body, name } = c.host('w1').engine.running()[0]!
    expect(name).toMatch(/^web\.\d\.[0-9a-z]{25}$/)
    expect(body.Labels).toMatchObject({
      'com.docker.swarm.service.name': 'web',
      'com.docker.swarm.task.name': name,
    })
    await c.setService('web', replicas(0))
    await waitFor(
      'no containers',
      () => c.hosts.every((host) => host.engine.containers.size === 0) || undefined,
      soon,
    )
  })

  it('keeps its keys to their owner', async () => {
    const c = await make(1)
    for (const host of c.hosts) {
      expect((await stat(host.folder)).mode & 0o077).toBe(0)
      for (const file of await readdir(host.folder)) {
        expect([file, (await stat(join(host.folder, file))).mode & 0o077]).toEqual([file, 0])
      }
    }
  })

  it('is not joined with a wrong token, nor through a manager that the token does not name', async () => {
    const c = await make(0)
    const host = await c.addHost('w1')
    const token = c.token()
    await expect(c.join(host, `${token.slice(0, -5)}aaaaa`)).rejects.toMatchObject({
      code: 'E_MANAGER_REFUSED',
    })
    await expect(c.join(host, 'SWMTKN-1-x-y')).rejects.toMatchObject({ code: 'E_TOKEN_MALFORMED' })
    const other = token.replace(/-1-.{5}/, '-1-00000')
    await expect(c.join(host, other)).rejects.toMatchObject({ code: 'E_TOKEN_DIGEST' })
    await expect(c.join(host, c.token('manager'))).rejects.toThrow(/second manager/)
    expect(host.node?.state).toBe('inactive')
    expect([...c.view.all('node')]).toHaveLength(1)
    await c.join(host, token)
    await expect(c.join(host, token)).rejects.toMatchObject({ code: 'E_SWARM_ACTIVE' })
    expect(host.node?.state).toBe('active')
  })

  it('is not half begun where its port is taken', async () => {
    const c = await make(0)
    const host = await c.addHost('other')
    const options = { listenAddr: c.address, advertiseAddr: c.address }
    await expect(host.node!.init(options)).rejects.toMatchObject({ code: 'E_LISTEN' })
    expect(host.node!.state).toBe('inactive')
    expect(await readdir(host.folder)).toEqual([])
    await c.join(host)
    expect(host.node!.state).toBe('active')
  })

  it('is not begun or joined by a host that overlay traffic can not reach', async () => {
    const c = await make(0)
    const { node } = await c.addHost('w1')
    const refusal = { code: 'E_SPEC_INVALID', message: expect.stringContaining('--data-path-addr') }
    await expect(node!.init({ advertiseAddr: 'fd00::1' })).rejects.toMatchObject(refusal)
    const join = { remoteAddrs: [c.address], token: c.token() }
    await expect(node!.join({ ...join, advertiseAddr: 'fd00::1' })).rejects.toMatchObject(refusal)
    expect(node!.state).toBe('inactive')
    expect([...c.view.all('node')]).toHaveLength(1)
    await node!.join({ ...join, advertiseAddr: 'fd00::1', dataPathAddr: '127.0.0.1' })
    const row = c.view.get('node', c.nodeId('w1'))
    expect([row?.Status.Addr, row?.DataPathAddr]).toEqual(['fd00::1', '127.0.0.1'])
  })

  it('lets a worker leave, and takes its containers from it', async () => {
    const c = await make(2)
    await c.setService('web', replicas(6))
    await c.settled('web', 6)
    const id = c.nodeId('w1')
    await c.host('w1').node!.leave(false)
    expect(c.host('w1').engine.containers.size).toBe(0)
    expect(c.view.get('node', id)?.Status).toMatchObject({ State: 'down', Message: 'left the swarm' })
    await c.settled('web', 6)
    await c.join(c.host('w1'))
    expect(c.nodeId('w1')).not.toBe(id)
  })

  it('ends when its last manager leaves, which must be forced', async () => {
    const c = await make(0)
    await c.setService('web', replicas(2))
    await c.settled('web', 2)
    const { node, engine } = c.host('m1')
    await expect(node!.leave(false)).rejects.toMatchObject({ code: 'E_LEAVE_MANAGER' })
    await node!.leave(true)
    expect(engine.containers.size).toBe(0)
    expect(node!.state).toBe('inactive')
    expect(() => node!.manager).toThrow(expect.objectContaining({ code: 'E_SWARM_INACTIVE' }))
  })
})

describe('tasks', () => {
  it('that fail are replaced', async () => {
    const c = await make(2)
    await c.setService('web', replicas(3))
    const [task] = await c.settled('web', 3)
    const host = c.hosts.find(({ name }) => c.nodeId(name) === task!.NodeID)!
    const container = host.engine.running().find(({ id }) => host.engine.taskOf(id) === task!.ID)!
    host.engine.exit(container.id, 7)
    await waitFor(
      'the failure to be known',
      () => c.view.get('task', task!.ID)?.Status.State === 'failed' || undefined,
      soon,
    )
    expect(c.view.get('task', task!.ID)?.Status).toMatchObject({
      Err: 'task: non-zero exit (7)',
      ContainerStatus: { ContainerID: container.id, ExitCode: 7 },
    })
    await c.settled('web', 3)
  })

  it('that can not have their image say so', async () => {
    const c = await make(0)
    c.host('m1').engine.missing.add('img')
    await c.setService('web', replicas(1), { RestartPolicy: { Condition: 'none' } })
    const task = await waitFor(
      'a rejected task',
      () => c.tasks().find((t) => t.Status.State === 'rejected'),
      soon,
    )
    expect(task.Status.Err).toBe('No such image: img')
  })

  it('with a health check run when they are healthy, and are replaced when they are not', async () => {
    const c = await make(0)
    const { engine } = c.host('m1')
    engine.health.set('img', 'starting')
    await c.setService('web', replicas(1), { RestartPolicy: { Delay: 0 } })
    await waitFor('a container', () => engine.running()[0], soon)
    await waitFor('its start', () => c.tasks()[0]?.Status.State === 'starting' || undefined, soon)
    await sleep(100)
    expect(c.tasks().map((task) => task.Status.State)).toEqual(['starting'])
    engine.setHealth(engine.running()[0]!.id, 'healthy')
    const [task] = await c.settled('web', 1)
    engine.health.set('img', 'healthy')
    engine.setHealth(engine.running()[0]!.id, 'unhealthy')
    await waitFor(
      'the failure',
      () => c.view.get('task', task!.ID)?.Status.State === 'failed' || undefined,
      soon,
    )
    expect(c.view.get('task', task!.ID)?.Status.Err).toBe('task: unhealthy container')
    await c.settled('web', 1)
  })

  it('whose container somebody removed are replaced', async () => {
    const c = await make(0)
    await c.setService('web', replicas(1))
    const [task] = await c.settled('web', 1)
    const { engine } = c.host('m1')
    await engine.removeContainer(engine.running()[0]!.id)
    await waitFor(
      'the failure',
      () => c.view.get('task', task!.ID)?.Status.State === 'failed' || undefined,
      soon,
    )
    await c.settled('web', 1)
  })
})

describe('a daemon that stops and starts', () => {
  const starts = (c: FakeCluster) =>
    c.hosts.flatMap(({ engine }) => [...engine.containers.values()].map((x) => x.starts))

  it('on a worker costs no task a restart when it is back in time', async () => {
    const c = await make(2, { periodMs: 200 })
    await c.setService('web', replicas(6))
    const before = (await c.settled('web', 6)).map((task) => task.ID).sort()
    await c.stopDaemon(c.host('w1'))
    await sleep(300)
    await c.startDaemon(c.host('w1'))
    await sleep(1200)
    expect(
      c
        .running('web')
        .map((task) => task.ID)
        .sort(),
    ).toEqual(before)
    expect(starts(c)).toEqual(Array(6).fill(1))
  })

  it('on a worker finds what ended meanwhile', async () => {
    const c = await make(1)
    await c.setService('web', replicas(2))
    await c.settled('web', 2)
    const { engine } = c.host('w1')
    await c.stopDaemon(c.host('w1'))
    const { id } = engine.running()[0]!
    const taskId = engine.taskOf(id)
    engine.exit(id, 3)
    await c.startDaemon(c.host('w1'))
    await waitFor(
      'the failure',
      () => c.view.get('task', taskId)?.Status.State === 'failed' || undefined,
      soon,
    )
    expect(c.view.get('task', taskId)?.Status.Err).toBe('task: non-zero exit (3)')
    await c.settled('web', 2)
  })

  it('on the manager loses nothing and restarts no container', async () => {
    const log = new StreamLog()
    const c = await make(2, { log })
    await c.setService('web', replicas(6))
    const before = (await c.settled('web', 6)).map((task) => task.ID).sort()
    const { revision } = c.view
    await c.stopDaemon(c.host('m1'))
    // The stored rows say "ready" all the while: only a new stream tells that the node is there.
    log.opened.length = 0
    await c.startDaemon(c.host('m1'))
    expect(c.view.revision).toBeGreaterThanOrEqual(revision)
    await waitFor('a stream of each node', () => new Set(log.opened).size === 3 || undefined, soon)
    expect([...c.view.all('node')].map((node) => node.Status.State)).toEqual(['ready', 'ready', 'ready'])
    await sleep(500)
    expect(
      c
        .running('web')
        .map((task) => task.ID)
        .sort(),
    ).toEqual(before)
    expect(starts(c)).toEqual(Array(6).fill(1))
    await c.setService('web', replicas(9))
    await c.settled('web', 9)
  })

  it('on a worker works without the manager, from what is on disk', async () => {
    const c = await make(1)
    await c.setService('web', replicas(4))
    await c.settled('web', 4)
    await c.stopDaemon(c.host('m1'))
    await c.stopDaemon(c.host('w1'))
    await c.startDaemon(c.host('w1'))
    const { engine } = c.host('w1')
    expect(engine.running()).toHaveLength(2)
    expect(engine.network.networks.map((network) => network.name)).toEqual(['ingress'])
    await c.startDaemon(c.host('m1'))
    await c.settled('web', 4)
    expect(starts(c)).toEqual([1, 1, 1, 1])
  })
})

describe('a host that is lost', () => {
  it('is down within its grace, its tasks run elsewhere, and it keeps them when it comes back', async () => {
    const c = await make(2, { periodMs: 100 })
    await c.setService('web', replicas(6))
    const before = (await c.settled('web', 6)).map((task) => task.ID).sort()
    const id = c.nodeId('w1')
    const { engine } = c.host('w1')
    const began = performance.now()
    await c.stopDaemon(c.host('w1'))
    await waitFor('down', () => c.view.get('node', id)?.Status.State === 'down' || undefined, soon)
    expect(performance.now() - began).toBeLessThan(1500)
    await c.settled('web', 6)
    expect(c.running('web').every((task) => task.NodeID !== id)).toBe(true)
    expect(engine.running()).toHaveLength(2)
    await c.startDaemon(c.host('w1'))
    await waitFor(
      'the first ones again',
      () => {
        const now = c
          .running('web')
          .map((task) => task.ID)
          .sort()
        return JSON.stringify(now) === JSON.stringify(before) || undefined
      },
      soon,
    )
    await waitFor(
      'six containers',
      () => c.hosts.flatMap((h) => h.engine.running()).length === 6 || undefined,
      soon,
    )
    expect(engine.running().map(({ starts }) => starts)).toEqual([1, 1])
  })

  it('has nothing left to keep after a boot', async () => {
    const c = await make(2, { periodMs: 100 })
    await c.setService('web', replicas(3))
    await c.settled('web', 3)
    const id = c.nodeId('w1')
    await c.stopDaemon(c.host('w1'))
    c.host('w1').engine.reboot()
    await waitFor('down', () => c.view.get('node', id)?.Status.State === 'down' || undefined, soon)
    await c.settled('web', 3)
    await c.startDaemon(c.host('w1'))
    await waitFor('ready', () => c.view.get('node', id)?.Status.State === 'ready' || undefined, soon)
    await c.settled('web', 3)
    await waitFor(
      'three containers',
      () => c.hosts.flatMap((h) => h.engine.running()).length === 3 || undefined,
      soon,
    )
  })
})

describe('the data plane', () => {
  const front = async (c: FakeCluster) => {
    await c.manager.database.transact((draft) => {
      draft.put('network', {
        ID: 'front',
        Name: 'front',
        Driver: 'overlay',
        Labels: {},
        Options: {},
        Internal: false,
        Attachable: false,
        Ingress: false,
        EnableIPv6: false,
        IPAM: { Subnet: '10.9.0.0/24', Gateway: '10.9.0.1' },
        Vni: 5000,
      })
    })
  }
  const port = {
    Protocol: 'tcp' as const,
    TargetPort: 80,
    PublishedPort: 8080,
    PublishMode: 'ingress' as const,
  }

  it('tells each host the peers, names and virtual addresses of the networks that it has tasks on', async () => {
    const c = await make(2)
    await front(c)
    await c.setService('web', replicas(3), { Networks: [{ Target: 'front', Aliases: ['www'] }] })
    const tasks = await c.settled('web', 3)
    const vip = c.view.get('service', 'web')!.Endpoint.VirtualIPs![0]!.Addr.split('/')[0]!
    const addresses = tasks.map((task) => task.Attachments![0]!.Address.split('/')[0]!).sort()
    for (const host of c.hosts) {
      const network = await waitFor(
        'the network',
        () => {
          const found = host.engine.network.networks.find((one) => one.id === 'front')
          return found?.virtualAddresses[0]?.endpoints.length === 3 ? found : undefined
        },
        soon,
      )
      expect(network).toMatchObject({ vni: 5000, subnet: '10.9.0.0/24', gateway: '10.9.0.1', ingress: false })
      expect(network.virtualAddresses).toEqual([{ address: vip, service: 'web', endpoints: addresses }])
      const names = Object.fromEntries(network.names.map((one) => [one.name, one.addresses]))
      expect(names.web).toEqual([vip])
      expect(names.www).toEqual([vip])
      expect(names['tasks.web']).toEqual(addresses)
      expect(Object.keys(names)).toHaveLength(6)
      const own = tasks.find((task) => task.NodeID === c.nodeId(host.name))!.Attachments![0]!
      expect(network.peers.map((peer) => peer.address)).toEqual(
        addresses.filter((address) => address !== own.Address.split('/')[0]),
      )
      expect(network.peers.every((peer) => peer.host === '127.0.0.1')).toBe(true)
      const endpoint = host.engine.running()[0]!.body.NetworkingConfig.EndpointsConfig.front!
      expect(endpoint).toEqual({
        IPAMConfig: { IPv4Address: own.Address.split('/')[0] },
        MacAddress: own.MacAddress,
        Aliases: ['www'],
      })
    }
  })

  it('tells each host the UDP port that the swarm was begun with', async () => {
    const c = await make(1, { dataPathPort: 7789 })
    for (const host of c.hosts) {
      const [ingress] = await waitFor(
        'the ingress network',
        () => (host.engine.network.networks.length > 0 ? host.engine.network.networks : undefined),
        soon,
      )
      expect(ingress).toMatchObject({ name: 'ingress', dataPathPort: 7789 })
    }
    const host = await c.addHost('other')
    await expect(host.node!.init({ dataPathPort: 80 })).rejects.toMatchObject({ code: 'E_SPEC_INVALID' })
  })

  it('publishes ports on every host, with the tasks that run', async () => {
    const c = await make(2)
    await c.setService('web', { ...replicas(1), EndpointSpec: { Ports: [port] } })
    const [task] = await c.settled('web', 1)
    const address = task!.Attachments![0]!.Address.split('/')[0]!
    for (const host of c.hosts) {
      await waitFor('the port', () => host.engine.network.ingressPorts[0]?.endpoints[0], soon)
      expect(host.engine.network.ingressPorts).toEqual([
        {
          protocol: 'tcp',
          publishedPort: 8080,
          targetPort: 80,
          service: 'web',
          endpoints: [{ address, local: c.nodeId(host.name) === task!.NodeID }],
        },
      ])
      const ingress = host.engine.network.networks.find((network) => network.ingress)!
      expect(ingress.node?.address).toMatch(/^10\.0\.\d+\.\d+\/20$/)
      expect(ingress.peers.map((peer) => peer.address)).toHaveLength(
        c.nodeId(host.name) === task!.NodeID ? 2 : 3,
      )
    }
    const own = c.hosts.map((host) => host.engine.network.networks[0]!.node!.address)
    expect(new Set(own).size).toBe(3)
  })

  it('takes a task out before it is stopped, and soon after it died', async () => {
    const c = await make(1)
    await front(c)
    await c.setService('web', replicas(2), {
      Networks: [{ Target: 'front' }],
      RestartPolicy: { Condition: 'none' },
    })
    await c.settled('web', 2)
    const { engine } = c.host('m1')
    const endpoints = () =>
      engine.network.networks.find((one) => one.id === 'front')?.virtualAddresses[0]?.endpoints
    await waitFor('both', () => endpoints()?.length === 2 || undefined, soon)
    const { engine: other } = c.host('w1')
    other.exit(other.running()[0]!.id, 1)
    const began = performance.now()
    await waitFor('one', () => endpoints()?.length === 1 || undefined, soon)
    expect(performance.now() - began).toBeLessThan(500)
  })

  it('leaves no network on a host that has no task on it any more', async () => {
    const c = await make(1)
    await front(c)
    await c.setService('web', replicas(2), { Networks: [{ Target: 'front' }] })
    await c.settled('web', 2)
    await c.setService('web', replicas(0), { Networks: [{ Target: 'front' }] })
    for (const host of c.hosts) {
      await waitFor('none', () => host.engine.network.networks.every((one) => one.ingress) || undefined, soon)
    }
  })

  it('is not there for a task whose network can not be made, and says why', async () => {
    const c = await make(0)
    await front(c)
    const { engine } = c.host('m1')
    engine.networkFailure = 'no VXLAN here'
    await c.setService('web', replicas(1), { Networks: [{ Target: 'front' }] })
    await waitFor('a task', () => c.tasks()[0], soon)
    await sleep(300)
    expect(c.tasks()[0]?.Status.State).toBe('preparing')
    engine.networkFailure = undefined
    await c.settled('web', 1)
  })
})
