import { describe, expect, it } from 'vitest'
import { readCreateFlags } from '../../../../src/swarm/client/create-flags.ts'
import {
  changeServiceSpec,
  newServiceSpec,
  type ServiceFlags,
} from '../../../../src/swarm/client/service-spec.ts'

const create = async (flags: ServiceFlags, args: string[] = []) => {
  const { name, changes } = await readCreateFlags({ name: 'web', ...flags })
  return newServiceSpec(name, 'web:1', args, changes)
}

describe('service create', () => {
  it('makes a spec of its flags', async () => {
    const spec = await create(
      {
        replicas: 3,
        publish: ['8080:80', 'published=53,target=53,protocol=udp,mode=host'],
        env: ['B=2', 'A=1'],
        label: ['x=y', 'z'],
        'container-label': ['c=d'],
        network: ['front', 'name=back,alias=data,alias=db'],
        mount: ['type=bind,source=/a,target=/b,readonly', 'type=tmpfs,target=/tmp,tmpfs-size=1m'],
        constraint: ['node.role==worker'],
        'placement-pref': ['spread=node.labels.zone'],
        'limit-memory': '64m',
        'limit-cpu': '0.5',
        'reserve-memory': '32m',
        'restart-condition': 'on-failure',
        'restart-delay': '2s',
        'update-parallelism': 2,
        'update-order': 'start-first',
        'health-cmd': 'true',
        'stop-grace-period': '3s',
        'add-host': ['h:1.2.3.4'],
      },
      ['run', '-v'],
    )
    expect(spec).toEqual({
      Name: 'web',
      Labels: { x: 'y', z: '' },
      Mode: { Replicated: { Replicas: 3 } },
      TaskTemplate: {
        ContainerSpec: {
          Image: 'web:1',
          Args: ['run', '-v'],
          Env: ['A=1', 'B=2'],
          Labels: { c: 'd' },
          Mounts: [
            { Type: 'bind', Source: '/a', Target: '/b', ReadOnly: true },
            { Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 2 ** 20 } },
          ],
          Healthcheck: { Test: ['CMD-SHELL', 'true'] },
          StopGracePeriod: 3e9,
          Hosts: ['1.2.3.4 h'],
        },
        Networks: [{ Target: 'front' }, { Target: 'back', Aliases: ['data', 'db'] }],
        Placement: {
          Constraints: ['node.role==worker'],
          Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
        },
        Resources: {
          Limits: { NanoCPUs: 5e8, MemoryBytes: 64 * 2 ** 20 },
          Reservations: { MemoryBytes: 32 * 2 ** 20 },
        },
        RestartPolicy: { Condition: 'on-failure', Delay: 2e9 },
      },
      UpdateConfig: { Parallelism: 2, Order: 'start-first' },
      EndpointSpec: {
        Ports: [
          { Protocol: 'tcp', TargetPort: 80, PublishMode: 'ingress', PublishedPort: 8080 },
          { Protocol: 'udp', TargetPort: 53, PublishMode: 'host', PublishedPort: 53 },
        ],
      },
    })
  })

  it('takes what a volume is to be made with, and options of a network', async () => {
    const volume =
      'source=v,target=/b,volume-label=a=b,volume-label=c,volume-opt=type=nfs,"volume-opt=o=addr=10.0.0.1,rw"'
    const { TaskTemplate } = await create({
      mount: [volume, 'type=bind,source=/a,target=/c,consistency=Cached,readonly=false'],
      network: ['name=n1,driver-opt=mtu=9000,driver-opt=x=y=z'],
    })
    expect(TaskTemplate.ContainerSpec?.Mounts).toEqual([
      {
        Type: 'volume',
        Source: 'v',
        Target: '/b',
        VolumeOptions: {
          Labels: { a: 'b', c: '' },
          DriverConfig: { Name: 'local', Options: { type: 'nfs', o: 'addr=10.0.0.1,rw' } },
        },
      },
      { Type: 'bind', Source: '/a', Target: '/c', Consistency: 'cached' },
    ])
    expect(TaskTemplate.Networks).toEqual([{ Target: 'n1', DriverOpts: { mtu: '9000', x: 'y=z' } }])
  })

  it('makes up a name, and knows global services', async () => {
    const { name } = await readCreateFlags({})
    expect(name).toMatch(/^service-[0-9a-f]{8}$/)
    expect((await create({ mode: 'global' })).Mode).toEqual({ Global: {} })
    await expect(create({ mode: 'global', replicas: 2 })).rejects.toThrow(
      /only a replicated service has replicas/,
    )
  })

  it.each<[ServiceFlags, RegExp]>([
    [{ publish: ['1:2:3:4'] }, /--publish 1:2:3:4: .* is no port/],
    [{ publish: ['127.0.0.1:80:80'] }, /not on 127\.0\.0\.1 alone/],
    [{ publish: ['published=80'] }, /target is missing/],
    [{ publish: ['target=80,colour=red'] }, /there is no 'colour' in it/],
    [{ mount: ['target=/b,readonly=yes'] }, /readonly is true or false/],
    [{ mount: ['target=/b,"volume-opt=a=b'] }, /a quote is not closed/],
    [{ mount: ['target=/b,volume-opt=o'] }, /volume-opt is NAME=VALUE, not 'o'/],
    [{ mount: ['target=/b,consistency=some'] }, /consistency is one of default/],
    [{ mount: ['type=bind,source=/a,target=/b,volume-label=x'] }, /type bind has no volume-label/],
    [{ mount: ['type=tmpfs,target=/b,tmpfs-mode=rwx'] }, /tmpfs-mode is an octal number/],
    [{ network: ['name=n1,driver-opt=mtu'] }, /driver-opt is NAME=VALUE/],
    [{ 'update-max-failure-ratio': 'some' }, /not a number from 0 to 1/],
    [{ mount: ['type=bind'] }, /target is missing/],
    [{ 'limit-memory': 'lots' }, /--limit-memory lots: not a size/],
    [{ 'restart-delay': 'soon' }, /not a duration/],
    [{ 'env-file': ['/nope'] }, /--env-file \/nope/],
    [{ 'placement-pref': ['pack=x'] }, /only spread=LABEL/],
  ])('refuses %j', async (flags, message) => {
    await expect(create(flags)).rejects.toThrow(message)
    await expect(create(flags)).rejects.toMatchObject({ code: 'E_FLAG_INVALID', exit: 2 })
  })
})

describe('service update', () => {
  it('changes what is named and leaves the rest', async () => {
    const before = await create({
      env: ['A=1', 'B=2'],
      publish: ['8080:80', '81:81'],
      label: ['x=y'],
      'limit-memory': '64m',
      network: ['n1'],
    })
    const after = changeServiceSpec(before, {
      image: 'web:2',
      'env-add': ['C=3'],
      'env-rm': ['A'],
      'publish-add': ['9090:90'],
      'publish-rm': ['81'],
      'label-rm': ['x'],
      'limit-cpu': '1',
      'network-add': ['n2'],
      'network-rm': ['n1'],
      force: true,
    })
    expect(after.TaskTemplate).toMatchObject({
      ContainerSpec: { Image: 'web:2', Env: ['B=2', 'C=3'] },
      Resources: { Limits: { NanoCPUs: 1e9, MemoryBytes: 64 * 2 ** 20 } },
      Networks: [{ Target: 'n2' }],
      ForceUpdate: 1,
    })
    expect(after.Labels).toEqual({})
    expect(after.EndpointSpec?.Ports?.map((port) => port.PublishedPort)).toEqual([8080, 9090])
    expect(changeServiceSpec(before, {})).toEqual(before)
  })

  it.each([
    ['80', ['8443:443/tcp/ingress', '53:53/udp/host', '53:53/tcp/host']],
    ['8080:80/tcp', ['8443:443/tcp/ingress', '53:53/udp/host', '53:53/tcp/host']],
    ['53/udp', ['8080:80/tcp/ingress', '8443:443/tcp/ingress', '53:53/tcp/host']],
    [
      'target=53,mode=ingress',
      ['8080:80/tcp/ingress', '8443:443/tcp/ingress', '53:53/udp/host', '53:53/tcp/host'],
    ],
    ['target=53,mode=host', ['8080:80/tcp/ingress', '8443:443/tcp/ingress', '53:53/udp/host']],
  ])('takes away the port that --publish-rm %s leads to', async (removed, left) => {
    const before = await create({
      publish: [
        '8080:80',
        '8443:443',
        'published=53,target=53,protocol=udp,mode=host',
        'published=53,target=53,mode=host',
      ],
    })
    const after = changeServiceSpec(before, { 'publish-rm': [removed] })
    expect(
      after.EndpointSpec?.Ports?.map(
        (port) => `${port.PublishedPort}:${port.TargetPort}/${port.Protocol}/${port.PublishMode}`,
      ),
    ).toEqual(left)
  })

  it('refuses to take away what is no port', async () => {
    const before = await create({ publish: ['8080:80'] })
    expect(() => changeServiceSpec(before, { 'publish-rm': ['http'] })).toThrow(
      /--publish-rm http: .*no port/,
    )
  })
})
