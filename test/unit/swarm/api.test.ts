import { request as httpRequest } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { waitFor } from '../../../src/shared/deadline.ts'
import { serveSwarmApi } from '../../support/swarm-api.ts'
import { FakeCluster } from '../../support/swarm-cluster.ts'

let cluster: FakeCluster
let api: Awaited<ReturnType<typeof serveSwarmApi>>
beforeEach(async () => {
  cluster = await FakeCluster.make(1)
  api = await serveSwarmApi(cluster.host('m1').node!)
})
afterEach(async () => {
  await api.close()
  await cluster.close()
})

interface Answer {
  status: number
  type: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came
  body: any
}

function call(method: string, path: string, body?: unknown, socketPath = api.socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' }
    const request = httpRequest({ socketPath, method, path: `/v1.47${path}`, headers }, (response) => {
      let text = ''
      response.on('data', (chunk) => {
        text += chunk
      })
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: response.headers['content-type'],
          body:
            text.startsWith('{') || text.startsWith('[') || text.startsWith('"') ? JSON.parse(text) : text,
        }),
      )
    })
    request.on('error', reject)
    request.end(typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body))
  })
}

const spec = (Name: string, more: object = {}) => ({
  Name,
  TaskTemplate: { ContainerSpec: { Image: 'img' } },
  ...more,
})
const create = async (body: object) => (await call('POST', '/services/create', body)).body.ID as string

describe('the API of a host', () => {
  it('that is in no swarm answers 503 to all but init and join', async () => {
    const alone = await cluster.addHost('alone')
    const other = await serveSwarmApi(alone.node!)
    try {
      for (const path of ['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs', '/nodes/x']) {
        const answer = await call('GET', path, undefined, other.socket)
        expect([path, answer.status, answer.type]).toEqual([path, 503, 'application/json'])
        expect(answer.body.message).toMatch(/^This node is not a swarm manager\. Use "docker swarm init"/)
      }
      expect((await call('GET', '/info', undefined, other.socket)).body.Swarm).toMatchObject({
        LocalNodeState: 'inactive',
        ControlAvailable: false,
        NodeID: '',
      })
      const left = await call('POST', '/swarm/leave', undefined, other.socket)
      expect([left.status, left.body.message]).toEqual([503, 'This node is not part of a swarm'])
    } finally {
      await other.close()
    }
  })

  it('that is a worker answers 503, and says that it is one', async () => {
    const other = await serveSwarmApi(cluster.host('w1').node!)
    try {
      const answer = await call('GET', '/nodes', undefined, other.socket)
      expect([answer.status, answer.body.message]).toEqual([
        503,
        expect.stringMatching(/Worker nodes can't be used/),
      ])
      const { Swarm } = (await call('GET', '/info', undefined, other.socket)).body
      expect(Swarm).toMatchObject({
        LocalNodeState: 'active',
        ControlAvailable: false,
        NodeAddr: '127.0.0.1',
      })
      expect(Swarm.RemoteManagers).toEqual([{ NodeID: '', Addr: cluster.address }])
    } finally {
      await other.close()
    }
  })

  it('that is a manager shows the swarm, with tokens', async () => {
    const { status, body } = await call('GET', '/swarm')
    expect(status).toBe(200)
    expect(body).toMatchObject({
      Spec: { Name: 'default', Orchestration: { TaskHistoryRetentionLimit: 5 } },
      JoinTokens: { Worker: cluster.token(), Manager: cluster.token('manager') },
      DataPathPort: 4789,
      DefaultAddrPool: ['10.0.0.0/8'],
      SubnetSize: 24,
    })
    expect(JSON.stringify(body)).not.toContain('PRIVATE KEY')
    const { Swarm } = (await call('GET', '/info')).body
    expect(Swarm).toMatchObject({ LocalNodeState: 'active', ControlAvailable: true, Nodes: 2, Managers: 1 })
    expect(Swarm.Cluster.ID).toBe(body.ID)
    expect((await call('POST', '/swarm/init', {})).status).toBe(503)
  })

  it.each([
    [{ CAConfig: { NodeCertExpiry: 3_599e9 } }, /^minimum certificate expiry time is: 1h0m0s$/],
    [
      { Dispatcher: { HeartbeatPeriod: 1 } },
      /^invalid heartbeat period 1e-9s: it must be from 0\.1s to 3600s$/,
    ],
    [{ Dispatcher: { HeartbeatPeriod: 2 ** 52 } }, /^invalid heartbeat period/],
  ])('refuses settings that no swarm can live with: %j', async (more, message) => {
    const { body: swarm } = await call('GET', '/swarm')
    const path = `/swarm/update?version=${swarm.Version.Index}`
    const updated = await call('POST', path, { ...swarm.Spec, ...more })
    expect([updated.status, updated.body.message]).toEqual([400, expect.stringMatching(message)])
    expect((await call('GET', '/swarm')).body.Spec).toEqual(swarm.Spec)
    const alone = await cluster.addHost('alone')
    const other = await serveSwarmApi(alone.node!)
    try {
      const begun = await call(
        'POST',
        '/swarm/init',
        { AdvertiseAddr: '127.0.0.1', Spec: more },
        other.socket,
      )
      expect([begun.status, begun.body.message]).toEqual([400, expect.stringMatching(message)])
      expect(alone.node!.state).toBe('inactive')
    } finally {
      await other.close()
    }
  })

  it('lets certificates live for years', async () => {
    const { body: swarm } = await call('GET', '/swarm')
    const Spec = { ...swarm.Spec, CAConfig: { NodeCertExpiry: 10 * 365 * 86_400e9 } }
    expect((await call('POST', `/swarm/update?version=${swarm.Version.Index}`, Spec)).status).toBe(200)
  })

  it('rotates a token, and lets nobody in with the old one', async () => {
    const old = cluster.token()
    const { body } = await call('GET', '/swarm')
    const path = `/swarm/update?version=${body.Version.Index}&rotateWorkerToken=true`
    expect((await call('POST', path, body.Spec)).status).toBe(200)
    expect((await call('POST', path, body.Spec)).status).toBe(409)
    const host = await cluster.addHost('w2')
    await expect(cluster.join(host, old)).rejects.toMatchObject({ code: 'E_MANAGER_REFUSED' })
    await cluster.join(host)
  })
})

describe('nodes', () => {
  it('are listed, filtered and inspected by id, name and prefix', async () => {
    const { body } = await call('GET', '/nodes')
    expect(
      body.map((node: { Description: { Hostname: string } }) => node.Description.Hostname).sort(),
    ).toEqual(['m1', 'w1'])
    const manager = body.find((node: { ManagerStatus?: object }) => node.ManagerStatus)
    expect(manager.ManagerStatus).toEqual({ Leader: true, Reachability: 'reachable', Addr: cluster.address })
    for (const ref of [cluster.nodeId('w1'), 'w1', cluster.nodeId('w1').slice(0, 12)]) {
      expect((await call('GET', `/nodes/${ref}`)).body.ID).toBe(cluster.nodeId('w1'))
    }
    const go = encodeURIComponent('{"role":{"manager":true}}')
    const js = encodeURIComponent('{"role":["worker"],"name":["w"]}')
    expect((await call('GET', `/nodes?filters=${go}`)).body).toHaveLength(1)
    expect((await call('GET', `/nodes?filters=${js}`)).body).toHaveLength(1)
    expect((await call('GET', `/nodes?filters=${encodeURIComponent('{"colour":["red"]}')}`)).status).toBe(400)
    expect((await call('GET', '/nodes?filters=%7Bx')).status).toBe(400)
    expect((await call('GET', '/nodes/none')).status).toBe(404)
  })

  it('are changed by who read them last', async () => {
    const { body } = await call('GET', '/nodes/w1')
    const path = `/nodes/w1/update?version=${body.Version.Index}`
    expect(
      (await call('POST', path, { ...body.Spec, Availability: 'drain', Labels: { a: 'b' } })).status,
    ).toBe(200)
    const refused = await call('POST', path, body.Spec)
    expect([refused.status, refused.body.message]).toEqual([409, 'update out of sequence'])
    const { body: after } = await call('GET', '/nodes/w1')
    expect(after.Spec).toEqual({ Labels: { a: 'b' }, Role: 'worker', Availability: 'drain' })
    const version = `version=${after.Version.Index}`
    expect(
      (await call('POST', `/nodes/w1/update?${version}`, { ...after.Spec, Availability: 'x' })).status,
    ).toBe(400)
    expect(
      (await call('POST', `/nodes/w1/update?${version}`, { ...after.Spec, Role: 'manager' })).status,
    ).toBe(501)
    expect((await call('POST', '/nodes/w1/update', after.Spec)).status).toBe(400)
  })

  it('are removed when they are down, or by force, but never the last manager', async () => {
    expect((await call('DELETE', '/nodes/m1?force=true')).status).toBe(400)
    expect((await call('DELETE', '/nodes/w1')).body.message).toMatch(/is not down and can't be removed/)
    expect((await call('DELETE', '/nodes/w1?force=1')).status).toBe(200)
    await waitFor('the node to hear of it', () => cluster.host('w1').node!.state === 'error' || undefined, {
      timeoutMs: 5000,
    })
    expect(cluster.host('w1').node!.error).toBe('this node was removed from the swarm')
    await cluster.host('w1').node!.leave(false)
    await cluster.join(cluster.host('w1'))
  })
})

describe('services', () => {
  it('are made, listed with their state, inspected and removed', async () => {
    const id = await create(spec('web', { Mode: { Replicated: { Replicas: 2 } }, Labels: { a: 'b' } }))
    await cluster.settled(id, 2)
    const filters = encodeURIComponent('{"label":["a=b"],"name":["we"]}')
    const { body } = await call('GET', `/services?status=true&filters=${filters}`)
    expect(body).toMatchObject([
      {
        ID: id,
        Spec: { Name: 'web' },
        ServiceStatus: { RunningTasks: 2, DesiredTasks: 2, CompletedTasks: 0 },
      },
    ])
    expect((await call('GET', '/services/web')).body.ID).toBe(id)
    const tasks = await call(
      'GET',
      `/tasks?filters=${encodeURIComponent(`{"service":["${id}"],"desired-state":["running"]}`)}`,
    )
    expect(tasks.body).toHaveLength(2)
    expect(tasks.body[0]).toMatchObject({
      ServiceID: id,
      DesiredState: 'running',
      Status: { State: 'running', ContainerStatus: { ContainerID: expect.any(String) }, PortStatus: {} },
      Spec: { ContainerSpec: { Image: 'img' } },
    })
    expect((await call('GET', `/tasks/${tasks.body[0].ID.slice(0, 10)}`)).body.ID).toBe(tasks.body[0].ID)
    expect((await call('DELETE', '/services/web')).status).toBe(200)
    expect((await call('GET', '/services/web')).status).toBe(404)
    await waitFor('no tasks', async () => (await call('GET', '/tasks')).body.length === 0 || undefined, {
      timeoutMs: 5000,
    })
  })

  it('have one name each, free again when they are gone', async () => {
    await create(spec('web'))
    const again = await call('POST', '/services/create', spec('web'))
    expect([again.status, again.body.message]).toEqual([
      409,
      'name conflicts with an existing object: service web already exists',
    ])
    await call('DELETE', '/services/web')
    expect((await call('POST', '/services/create', spec('web'))).status).toBe(201)
  })

  it('are updated by who read them last, rolled back, and not renamed', async () => {
    await create(spec('web'))
    const { body } = await call('GET', '/services/web')
    const path = (version: number, more = '') => `/services/web/update?version=${version}${more}`
    const next = { ...body.Spec, TaskTemplate: { ContainerSpec: { Image: 'new' } } }
    expect((await call('POST', path(body.Version.Index), next)).body).toEqual({ Warnings: null })
    expect((await call('POST', path(body.Version.Index), next)).body.message).toBe('update out of sequence')
    const current = async () => (await call('GET', '/services/web')).body
    await waitFor('the update', async () => (await current()).UpdateStatus, { timeoutMs: 5000 })
    expect((await current()).PreviousSpec.TaskTemplate.ContainerSpec.Image).toBe('img')
    await waitFor(
      'the rollback to be taken',
      async () => {
        const { status } = await call(
          'POST',
          path((await current()).Version.Index, '&rollback=previous'),
          next,
        )
        return status === 200 || undefined
      },
      { timeoutMs: 5000 },
    )
    const back = await current()
    expect(back.Spec.TaskTemplate.ContainerSpec.Image).toBe('img')
    expect(back.PreviousSpec).toBeUndefined()
    const renamed = await call('POST', path(back.Version.Index), { ...back.Spec, Name: 'other' })
    expect([409, 501]).toContain(renamed.status)
  })

  it.each([
    [{}, /name must be provided/],
    [{ Name: '-x' }, /DNS name component/],
    [spec('tasks.web'), /^name 'tasks.web' must be valid as a DNS name component$/],
    [{ Name: 'a', TaskTemplate: {} }, /image reference must be provided/],
    [spec('a', { Mode: { Replicated: { Replicas: -1 } } }), /replicas/],
    [spec('a', { EndpointSpec: { Ports: [{ TargetPort: 99999 }] } }), /port target must be between/],
    [spec('a', { EndpointSpec: { Ports: [{ TargetPort: 1, Protocol: 'xyz' }] } }), /invalid protocol/],
    [spec('a', { EndpointSpec: { Mode: 'dnsrr', Ports: [{ TargetPort: 1 }] } }), /dnsrr mode/],
    [
      spec('a', {
        EndpointSpec: {
          Ports: [
            { TargetPort: 1, PublishedPort: 5 },
            { TargetPort: 2, PublishedPort: 5 },
          ],
        },
      }),
      /duplicate published ports/,
    ],
    [
      spec('a', { TaskTemplate: { ContainerSpec: { Image: 'i' }, Placement: { Constraints: ['x'] } } }),
      /constraint/,
    ],
    [
      spec('a', {
        TaskTemplate: { ContainerSpec: { Image: 'i' }, Resources: { Limits: { MemoryBytes: 1 } } },
      }),
      /Must be at least 4MiB/,
    ],
    [
      spec('a', {
        TaskTemplate: { ContainerSpec: { Image: 'i', Mounts: [{ Target: '/x' }, { Target: '/x' }] } },
      }),
      /duplicate mount point/,
    ],
    ['not json', /JSON/],
    ['[]', /JSON object/],
  ])('are refused: %j', async (body, message) => {
    const answer = await call('POST', '/services/create', body)
    expect(answer.type).toBe('application/json')
    expect([answer.status, answer.body.message]).toEqual([400, expect.stringMatching(message)])
    expect((await call('GET', '/services')).body).toEqual([])
  })

  it('are refused whole when a field has the wrong type, as all bodies are', async () => {
    const id = await create(spec('web'))
    await cluster.settled(id, 1)
    const { body: service } = await call('GET', '/services/web')
    const { body: node } = await call('GET', '/nodes/w1')
    const { body: swarm } = await call('GET', '/swarm')
    const task = (more: object) => ({ TaskTemplate: { ContainerSpec: { Image: 'i' }, ...more } })
    const spread = task({ Placement: { Preferences: [{ Spread: { SpreadDescriptor: 5 } }] } })
    const delay = task({ RestartPolicy: { Delay: '5s' } })
    const calls: [path: string, body: object, field: string][] = [
      ['/services/create', spec('b', spread), 'TaskTemplate.Placement.Preferences.0.Spread.SpreadDescriptor'],
      [
        `/services/web/update?version=${service.Version.Index}`,
        { ...service.Spec, ...delay },
        'TaskTemplate.RestartPolicy.Delay',
      ],
      [`/nodes/w1/update?version=${node.Version.Index}`, { ...node.Spec, Labels: { a: 1 } }, 'Labels.a'],
      [
        `/swarm/update?version=${swarm.Version.Index}`,
        { ...swarm.Spec, Dispatcher: { HeartbeatPeriod: '5s' } },
        'Dispatcher.HeartbeatPeriod',
      ],
      ['/swarm/init', { SubnetSize: 30 }, 'SubnetSize'],
      ['/swarm/join', { Availability: 'gone' }, 'Availability'],
      ['/networks/create', { Name: 'x', Driver: 'overlay', Labels: { a: 1 } }, 'Labels.a'],
    ]
    const { revision } = cluster.view
    for (const [path, body, field] of calls) {
      const answer = await call('POST', path, body)
      expect([path, answer.status, answer.body.message]).toEqual([
        path,
        400,
        expect.stringContaining(`invalid request body: ${field} `),
      ])
    }
    expect(cluster.view.revision).toBe(revision)
  })

  it('are refused a network or port that is not to be had', async () => {
    const networks = { TaskTemplate: { ContainerSpec: { Image: 'i' }, Networks: [{ Target: 'none-such' }] } }
    expect((await call('POST', '/services/create', spec('a', networks))).status).toBe(404)
    const Ports = [{ TargetPort: 80, PublishedPort: 80 }]
    await create(spec('a', { EndpointSpec: { Ports } }))
    const taken = await call('POST', '/services/create', spec('b', { EndpointSpec: { Ports } }))
    expect([taken.status, taken.body.message]).toEqual([
      400,
      expect.stringMatching(/^port '80' is already in use by service 'a'/),
    ])
    expect((await call('POST', '/services/create', spec('b', { Mode: { GlobalJob: {} } }))).status).toBe(501)
  })

  it('may be on the network of the host itself', async () => {
    const id = await create(
      spec('web', { TaskTemplate: { ContainerSpec: { Image: 'i' }, Networks: [{ Target: 'host' }] } }),
    )
    await cluster.settled(id, 1)
    const [container] = cluster.hosts.flatMap(({ engine }) => engine.running())
    expect(container!.body.HostConfig.NetworkMode).toBe('host')
    expect(container!.body.NetworkingConfig.EndpointsConfig).toEqual({})
  })

  it('show a lost task as shut down once another one is in its place', async () => {
    await cluster.close()
    cluster = await FakeCluster.make(1, { periodMs: 100 })
    await api.close()
    api = await serveSwarmApi(cluster.host('m1').node!)
    const id = await create(spec('web', { Mode: { Replicated: { Replicas: 2 } } }))
    await cluster.settled(id, 2)
    const lost = cluster.nodeId('w1')
    await cluster.stopDaemon(cluster.host('w1'))
    await waitFor('down', () => cluster.view.get('node', lost)?.Status.State === 'down' || undefined, {
      timeoutMs: 5000,
    })
    await cluster.settled(id, 2)
    const { body } = await call('GET', '/tasks')
    const onLost = body.filter((task: { NodeID: string }) => task.NodeID === lost)
    expect(
      onLost.map((task: { DesiredState: string; Status: { State: string } }) => [
        task.DesiredState,
        task.Status.State,
      ]),
    ).toEqual([['shutdown', 'running']])
    expect((await call('GET', '/services?status=1')).body[0].ServiceStatus).toMatchObject({
      RunningTasks: 2,
      DesiredTasks: 2,
    })
  })
})

describe('networks', () => {
  it('are made with a subnet of their own, listed and removed', async () => {
    const made = await call('POST', '/networks/create', {
      Name: 'front',
      Driver: 'overlay',
      Labels: { a: 'b' },
    })
    expect(made.status).toBe(201)
    expect((await call('GET', '/networks/front')).body).toMatchObject({
      Id: made.body.Id,
      Name: 'front',
      Scope: 'swarm',
      Driver: 'overlay',
      IPAM: { Config: [{ Subnet: '10.0.16.0/24', Gateway: '10.0.16.1' }] },
      Options: { 'com.docker.network.driver.overlay.vxlanid_list': '4097' },
    })
    expect((await call('POST', '/networks/create', { Name: 'front', Driver: 'overlay' })).status).toBe(409)
    expect((await call('GET', '/networks')).body.map((n: { Name: string }) => n.Name).sort()).toEqual([
      'front',
      'ingress',
    ])
    for (const Name of ['a b', '../x', 'host']) {
      expect([400, 409]).toContain(
        (await call('POST', '/networks/create', { Name, Driver: 'overlay' })).status,
      )
    }
    expect((await call('GET', '/networks/host?scope=swarm')).body.Id).toBe('host')
    expect((await call('DELETE', '/networks/ingress')).status).toBe(403)
    expect((await call('DELETE', '/networks/front')).status).toBe(204)
    expect((await call('GET', '/networks/front')).status).toBe(404)
  })

  it('stay while services use them, and on hosts until the last task has stopped', async () => {
    const { body } = await call('POST', '/networks/create', { Name: 'front', Driver: 'overlay' })
    const task = { ContainerSpec: { Image: 'img' }, Networks: [{ Target: 'front' }] }
    const id = await create(spec('web', { TaskTemplate: task }))
    await cluster.settled(id, 1)
    const busy = await call('DELETE', '/networks/front')
    expect([busy.status, busy.body.message]).toEqual([403, 'network front is in use by service web'])
    await call('DELETE', '/services/web')
    expect((await call('DELETE', '/networks/front')).status).toBe(204)
    expect((await call('POST', '/networks/create', { Name: 'front', Driver: 'overlay' })).status).toBe(201)
    await waitFor(
      'the old one to go',
      () => cluster.view.get('network', body.Id) === undefined || undefined,
      { timeoutMs: 5000 },
    )
    const claims = [...cluster.view.all('claim')].map((claim) => claim.ID)
    expect(claims.filter((claim) => claim.includes(body.Id))).toEqual([])
  })
})
