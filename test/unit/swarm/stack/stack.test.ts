import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { defaultStackName, loadCompose } from '../../../../src/swarm/stack/load.ts'
import { checkPorts, describeDeployStep, planDeploy } from '../../../../src/swarm/stack/plan.ts'
import { readStack, type Stack } from '../../../../src/swarm/stack/stack.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'swarm-stack-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

let files = 0
async function write(text: string, name = `compose-${files++}.yaml`): Promise<string> {
  await writeFile(join(folder, name), text)
  return name
}

async function read(text: string, environment: Record<string, string> = {}): Promise<Stack> {
  return readStack('shop', await loadCompose([await write(text)], environment, folder))
}

/** The one service of a file that has these lines under it. */
async function service(lines: string, environment: Record<string, string> = {}) {
  const indented = lines.replace(/^/gm, '    ')
  const { services } = await read(`services:\n  web:\n    image: web:1\n${indented}\n`, environment)
  return services[0]!
}
const container = async (lines: string) => (await service(lines)).TaskTemplate.ContainerSpec!

describe('a stack', () => {
  it('has names and labels as docker stack gives them', async () => {
    const stack = await read(`
services:
  web: { image: "web:1", networks: [front], deploy: { labels: { a: b } }, labels: [c=d] }
  db: { image: db, networks: { front: { aliases: [data] }, back: } }
networks:
  front: { driver_opts: { x: "1" }, attachable: true, ipam: { config: [{ subnet: 10.1.0.0/24 }] } }
  back: { name: shared-back }
  unused: {}
`)
    expect(stack.networks).toEqual([
      {
        Name: 'shop_front',
        Driver: 'overlay',
        Labels: { 'com.docker.stack.namespace': 'shop' },
        Options: { x: '1' },
        Internal: false,
        Attachable: true,
        IPAM: { Config: [{ Subnet: '10.1.0.0/24' }] },
      },
      expect.objectContaining({ Name: 'shared-back' }),
    ])
    const [web, db] = stack.services
    expect(web).toMatchObject({
      Name: 'shop_web',
      Labels: { a: 'b', 'com.docker.stack.namespace': 'shop', 'com.docker.stack.image': 'web:1' },
      TaskTemplate: {
        ContainerSpec: { Image: 'web:1', Labels: { c: 'd', 'com.docker.stack.namespace': 'shop' } },
        Networks: [{ Target: 'shop_front', Aliases: ['web'] }],
      },
    })
    expect(db!.TaskTemplate.Networks).toEqual([
      { Target: 'shop_front', Aliases: ['db', 'data'] },
      { Target: 'shared-back', Aliases: ['db'] },
    ])
  })

  it('has a default network where a service names none, and waits for external ones', async () => {
    const stack = await read(`
services:
  a: { image: a }
  b: { image: b, networks: [out] }
networks: { out: { external: true, name: world } }
`)
    expect(stack.networks.map((network) => network.Name)).toEqual(['shop_default'])
    expect(stack.externalNetworks).toEqual(['world'])
  })

  it('is called by its name, else as its folder', async () => {
    const named = await loadCompose([await write('name: my-shop\nservices: {}')], {}, folder)
    expect(defaultStackName(named)).toBe('my-shop')
    expect(defaultStackName({ content: {}, folder: '/srv/My Shop.d' })).toBe('myshopd')
    await expect(readStack('no way', named)).rejects.toMatchObject({ code: 'E_STACK_NAME' })
  })

  it('leaves out services of profiles', async () => {
    const stack = await read('services: { a: { image: a }, b: { image: b, profiles: [debug] } }')
    expect(stack.services.map((one) => one.Name)).toEqual(['shop_a'])
  })
})

describe('keys of a service', () => {
  it('about its command are swapped as Swarm has them', async () => {
    expect(await container('command: run --level "a b"\nentrypoint: ["/bin/x", "-y"]')).toMatchObject({
      Args: ['run', '--level', 'a b'],
      Command: ['/bin/x', '-y'],
    })
  })

  it('about its environment are sorted, files first, with the caller for those without value', async () => {
    await writeFile(join(folder, 'web.env'), '# a comment\nA=file\nexport Z="two words"\nQ=\'$A\'\n')
    const spec = await service('env_file: web.env\nenvironment: { A: "1", B: , C: , N: 5 }', { B: 'outside' })
    expect(spec.TaskTemplate.ContainerSpec!.Env).toEqual([
      'A=1',
      'B=outside',
      'C',
      'N=5',
      'Q=$A',
      'Z=two words',
    ])
  })

  it('about ports, short and long', async () => {
    const { EndpointSpec } = await service(
      'ports: ["8080:80", "53:53/udp", "9000-9001:90-91", "70", { target: 81, published: "8181", mode: host, protocol: tcp }]',
    )
    const port = (TargetPort: number, PublishedPort?: number, Protocol = 'tcp', PublishMode = 'ingress') => ({
      Protocol,
      TargetPort,
      PublishMode,
      ...(PublishedPort && { PublishedPort }),
    })
    expect(EndpointSpec!.Ports).toEqual([
      port(80, 8080),
      port(53, 53, 'udp'),
      port(90, 9000),
      port(91, 9001),
      port(70),
      port(81, 8181, 'tcp', 'host'),
    ])
  })

  it('about volumes, short and long', async () => {
    const { services } = await read(`
services:
  web:
    image: web
    volumes:
      - data:/data:ro
      - ./conf:/etc/conf
      - /var/log:/log:rslave
      - /anonymous
      - { type: volume, source: big, target: /big, volume: { nocopy: true } }
      - { type: tmpfs, target: /tmp, tmpfs: { size: 64m } }
    tmpfs: ["/run:size=1m"]
volumes:
  data:
  big: { driver: nfs, driver_opts: { share: x }, name: real-big }
`)
    expect(services[0]!.TaskTemplate.ContainerSpec!.Mounts).toEqual([
      {
        Type: 'volume',
        Source: 'shop_data',
        Target: '/data',
        ReadOnly: true,
        VolumeOptions: { Labels: { 'com.docker.stack.namespace': 'shop' } },
      },
      { Type: 'bind', Source: join(folder, 'conf'), Target: '/etc/conf' },
      { Type: 'bind', Source: '/var/log', Target: '/log', BindOptions: { Propagation: 'rslave' } },
      { Type: 'volume', Target: '/anonymous' },
      {
        Type: 'volume',
        Source: 'real-big',
        Target: '/big',
        VolumeOptions: {
          NoCopy: true,
          Labels: { 'com.docker.stack.namespace': 'shop' },
          DriverConfig: { Name: 'nfs', Options: { share: 'x' } },
        },
      },
      { Type: 'tmpfs', Target: '/tmp', TmpfsOptions: { SizeBytes: 64 * 2 ** 20 } },
      { Type: 'tmpfs', Target: '/run', TmpfsOptions: { SizeBytes: 2 ** 20 } },
    ])
  })

  it('about health', async () => {
    const test = async (lines: string) => (await container(`healthcheck: ${lines}`)).Healthcheck
    expect(await test('{ test: "curl x", interval: 1m30s, retries: 2, start_period: 5s }')).toEqual({
      Test: ['CMD-SHELL', 'curl x'],
      Interval: 90e9,
      Retries: 2,
      StartPeriod: 5e9,
    })
    expect(await test('{ test: [CMD, a, b] }')).toEqual({ Test: ['CMD', 'a', 'b'] })
    expect(await test('{ disable: true }')).toEqual({ Test: ['NONE'] })
  })

  it('about deployment', async () => {
    const spec = await service(`deploy:
  replicas: 4
  endpoint_mode: dnsrr
  placement: { constraints: [node.role==worker], preferences: [{ spread: node.labels.zone }], max_replicas_per_node: 2 }
  resources: { limits: { cpus: "0.5", memory: 64m, pids: 10 }, reservations: { memory: 32M } }
  restart_policy: { condition: on-failure, delay: 2s, max_attempts: 3, window: 1m }
  update_config: { parallelism: 2, delay: 1s, order: start-first, failure_action: rollback }
  rollback_config: {}`)
    expect(spec).toMatchObject({
      Mode: { Replicated: { Replicas: 4 } },
      EndpointSpec: { Mode: 'dnsrr' },
      TaskTemplate: {
        Placement: {
          Constraints: ['node.role==worker'],
          Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
          MaxReplicas: 2,
        },
        Resources: {
          Limits: { NanoCPUs: 5e8, MemoryBytes: 64 * 2 ** 20, Pids: 10 },
          Reservations: { MemoryBytes: 32 * 2 ** 20 },
        },
        RestartPolicy: { Condition: 'on-failure', Delay: 2e9, MaxAttempts: 3, Window: 60e9 },
      },
      UpdateConfig: { Parallelism: 2, Delay: 1e9, Order: 'start-first', FailureAction: 'rollback' },
      RollbackConfig: { Parallelism: 1 },
    })
    expect((await service('deploy: { mode: global }')).Mode).toEqual({ Global: {} })
    expect((await service('restart: unless-stopped')).TaskTemplate.RestartPolicy).toEqual({
      Condition: 'any',
    })
    expect((await service('restart: on-failure:4')).TaskTemplate.RestartPolicy).toEqual({
      Condition: 'on-failure',
      MaxAttempts: 4,
    })
  })

  it('about everything else', async () => {
    expect(
      await container(`hostname: "{{.Task.Name}}"
user: "1000:1000"
working_dir: /srv
stop_grace_period: 3s
stop_signal: SIGINT
cap_add: [net_admin, ALL]
dns: 1.1.1.1
extra_hosts: ["a:1.2.3.4", "b=::1"]
ulimits: { nofile: 1024, core: { soft: 0, hard: 1 } }
sysctls: { net.core.somaxconn: 1024 }
init: true
read_only: true`),
    ).toMatchObject({
      Hostname: '{{.Task.Name}}',
      User: '1000:1000',
      Dir: '/srv',
      StopGracePeriod: 3e9,
      StopSignal: 'SIGINT',
      CapabilityAdd: ['CAP_NET_ADMIN', 'ALL'],
      DNSConfig: { Nameservers: ['1.1.1.1'] },
      Hosts: ['1.2.3.4 a', '::1 b'],
      Ulimits: [
        { Name: 'nofile', Soft: 1024, Hard: 1024 },
        { Name: 'core', Soft: 0, Hard: 1 },
      ],
      Sysctls: { 'net.core.somaxconn': '1024' },
      Init: true,
      ReadOnly: true,
    })
  })

  it('that mean nothing in a swarm are left out with a warning that says where', async () => {
    const stack = await read('services:\n  web:\n    image: a\n    privileged: true\n    build: .\n')
    expect(stack.warnings).toEqual([
      expect.stringMatching(/^compose-\d+\.yaml:5: services\.web\.build: means nothing/),
      expect.stringMatching(/^compose-\d+\.yaml:4: services\.web\.privileged: means nothing/),
    ])
  })
})

describe('several files', () => {
  it('are one: later ones add and change', async () => {
    const a = await write(
      'services: { web: { image: a, environment: [X=1, Y=1], ports: ["1:1"], command: [a, b] } }',
    )
    const b = await write(
      'services: { web: { image: b, environment: { Y: 2 }, ports: ["2:2"], command: [c] }, db: { image: d } }',
    )
    const { services } = await readStack('shop', await loadCompose([a, b], {}, folder))
    expect(services.map((one) => one.Name)).toEqual(['shop_web', 'shop_db'])
    expect(services[0]).toMatchObject({
      TaskTemplate: { ContainerSpec: { Image: 'b', Env: ['X=1', 'Y=2'], Args: ['c'] } },
      EndpointSpec: { Ports: [{ PublishedPort: 1 }, { PublishedPort: 2 }] },
    })
  })

  it('have YAML anchors and merges', async () => {
    const { services } = await read(`
x-base: &base { image: img, environment: { A: "1" } }
services:
  a: { <<: *base, user: me }
  b: *base
`)
    expect(services.map((one) => one.TaskTemplate.ContainerSpec)).toMatchObject([
      { Image: 'img', Env: ['A=1'], User: 'me' },
      { Image: 'img', Env: ['A=1'] },
    ])
  })
})

describe('variables', () => {
  // Written with angles, since braces after a dollar look like a forgotten template to the linter.
  const braces = (text: string) => text.replaceAll('<', '{').replaceAll('>', '}')
  const image = async (text: string, environment: Record<string, string> = {}) =>
    (await read(`services: { web: { image: '${text}' } }`, environment)).services[0]!.TaskTemplate
      .ContainerSpec!.Image

  it.each([
    ['$A', 'a'],
    ['x$<A>y', 'xay'],
    ['$<N:-d>', 'd'],
    ['$<E:-d>$<E-d>', 'd'],
    ['$<N-d>', 'd'],
    ['$<A:+r>$<N:+r>', 'r'],
    ['$<N:-$<A>-$<M:-m>>', 'a-m'],
    ['a$$b', 'a$b'],
    ['$<A:?no>', 'a'],
  ])('%s is %s', async (text, expected) =>
    expect(await image(braces(text), { A: 'a', E: '' })).toBe(expected),
  )

  it('come from .env beside the file where the caller has none', async () => {
    await writeFile(join(folder, '.env'), 'TAG=7\nWHO=file\n')
    try {
      expect(await image('$WHO:$TAG', { WHO: 'caller' })).toBe('caller:7')
    } finally {
      await rm(join(folder, '.env'))
    }
  })

  it('that are not set are named, and their absence can be an error', async () => {
    const stack = await read(braces('services:\n  web:\n    image: a$<NONE>\n'))
    expect(stack.warnings).toEqual([expect.stringMatching(/:3: variable NONE is not set/)])
    await expect(image(braces('$<NONE:?set it>'))).rejects.toThrow(
      /services\.web\.image: required variable NONE is missing a value: set it/,
    )
    await expect(image(braces('$<1x>'))).rejects.toMatchObject({ code: 'E_COMPOSE_INVALID' })
  })
})

describe('what is wrong is pointed at', () => {
  it.each([
    [
      'services:\n  web:\n    imag: a\n',
      /:3: services\.web\.imag: there is no such key; did you mean image\?$/,
    ],
    [
      'services:\n  web:\n    image: a\n    deploy:\n      replicsa: 3\n',
      /:5: services\.web\.deploy\.replicsa: .* did you mean replicas\?/,
    ],
    ['servcies: {}\n', /:1: servcies: there is no such key; did you mean services\?/],
    ['services:\n  web:\n    image: [a]\n', /:3: services\.web\.image: it must be string/],
    ['services:\n  web:\n    ports: ["80"]\n', /:2: services\.web: image is missing/],
    [
      'services:\n  web:\n    image: a\n    ports:\n      - "127.0.0.1:80:80"\n',
      /:5: .* not on 127\.0\.0\.1 alone/,
    ],
    ['services:\n  web:\n    image: a\n    ports: ["80000:80"]\n', /:4: .* is no port or range/],
    [
      'services:\n  web:\n    image: a\n    networks: [nope]\n',
      /:4: .* network 'nope' is not among the file's networks/,
    ],
    [
      'services:\n  web:\n    image: a\n    volumes: ["nope:/x"]\n',
      /:4: .* volume 'nope' is not among the file's volumes/,
    ],
    ['services:\n  web:\n    image: a\n    volumes: ["x:y:z:w"]\n', /is no volume/],
    ['services:\n  web:\n    image: a\n    stop_grace_period: soon\n', /:4: .* 'soon' is not a duration/],
    [
      'services:\n  web:\n    image: a\n    deploy: { resources: { limits: { memory: lots } } }\n',
      /'lots' is not a size/,
    ],
    ['services:\n  web:\n    image: a\n    env_file: nope.env\n', /:4: .* there is no file nope\.env/],
    ['services:\n  web:\n    image: a\n    command: "a \'b"\n', /a quote is not closed/],
    ['services:\n  web:\n    image: a\n    secrets: [s]\n', /secrets is not supported yet/],
    [
      'services:\n  web:\n    image: a\n    ports:\n      - "7070:80"\n      - "7070:81"\n',
      /:6: services\.web\.ports\.1: port 7070\/tcp is published already, at .*:5: services\.web\.ports\.0$/,
    ],
    [
      'services:\n  a:\n    image: a\n    ports: ["70-72:80-82"]\n  b:\n    image: b\n    ports:\n      - { target: 1, published: 71 }\n',
      /:8: services\.b\.ports\.0: port 71\/tcp is published already, at .*:4: services\.a\.ports\.0$/,
    ],
    [
      'services:\n  web:\n    image: a\n    ports: ["80:80"]\n    deploy: { endpoint_mode: dnsrr }\n',
      /:4: services\.web\.ports\.0: with endpoint_mode dnsrr /,
    ],
    ['services: &s\n  a: *s\n', /:2: \*s: an alias stands within what it stands for$/],
    [
      `x-0: &a0 [x, x]\n${[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((n) => `x-${n}: &a${n} [*a${n - 1}, *a${n - 1}, *a${n - 1}]\n`).join('')}services: {}\n`,
      /:12: \*a10: aliases of aliases make more than 1000 copies$/,
    ],
    ['services: [\n', /:1: |:2: /],
    ['services: {a: {image: x}, a: {image: y}}\n', /:1: Map keys must be unique/],
    ['- a\n', /:1: it is not a map of keys/],
    ['', /:1: it is not a map of keys/],
  ])('%j', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message)
  })

  it('in the file that has it', async () => {
    const a = await write('services: { web: { image: a } }')
    const b = await write('services:\n  web:\n    stop_grace_period: soon\n')
    const compose = await loadCompose([a, b], {}, folder)
    await expect(readStack('shop', compose)).rejects.toThrow(new RegExp(`^${b}:3: `))
  })

  it('in the file that has the item of a list', async () => {
    const a = await write('services:\n  web:\n    image: a\n    ports: ["7070:80"]\n')
    const b = await write(
      'services:\n  web:\n    ports:\n      - "7071:80"\n      - "7070:81"\n      - "7072:80"\n',
    )
    const compose = await loadCompose([a, b], {}, folder)
    await expect(readStack('shop', compose)).rejects.toThrow(new RegExp(`^${b}:5: .* at ${a}:4: `))
  })

  it('but not where two services want the same port of their hosts', async () => {
    const port = 'ports: [{ target: 80, published: 80, mode: host }]'
    const stack = await read(`services: { a: { image: a, ${port} }, b: { image: b, ${port} } }`)
    expect(stack.services).toHaveLength(2)
  })

  it('also when there is no file', async () => {
    await expect(loadCompose(['none.yaml'], {}, folder)).rejects.toThrow(
      "none.yaml can't be read: there is no such file",
    )
    await expect(loadCompose([folder], {}, folder)).rejects.toThrow(`${folder} can't be read: it is a folder`)
    const binary = await write('\u007fELF\u0000\u0001: [')
    await expect(loadCompose([binary], {}, folder)).rejects.toThrow(
      `${binary} can't be read: it is not a text file`,
    )
    await expect(loadCompose([], {}, '/proc')).rejects.toMatchObject({ code: 'E_COMPOSE_MISSING' })
  })
})

describe('a deploy', () => {
  const present = (Name: string, ForceUpdate?: number) => ({
    ID: `id-${Name}`,
    Version: { Index: 7 },
    Spec: {
      Name,
      Labels: { 'com.docker.stack.namespace': 'shop' },
      Mode: {},
      TaskTemplate: { ContainerSpec: { Image: 'old' }, ...(ForceUpdate !== undefined && { ForceUpdate }) },
    },
  })

  it('makes what is missing, changes what is there, and with --prune removes what is no more', async () => {
    const stack = await read(
      'services: { a: { image: a }, b: { image: b, networks: [n] } }\nnetworks: { n: {} }',
    )
    const there = {
      networks: [{ Name: 'shop_n', Scope: 'swarm' }],
      services: [present('shop_b', 3), present('shop_c')],
    }
    expect(planDeploy(stack, there, true).map(describeDeployStep)).toEqual([
      'Removing service shop_c',
      'Creating network shop_default',
      'Creating service shop_a',
      'Updating service shop_b (id: id-shop_b)',
    ])
    const steps = planDeploy(stack, there, false)
    expect(steps).toHaveLength(3)
    expect(steps[2]).toMatchObject({ version: 7, spec: { TaskTemplate: { ForceUpdate: 3 } } })
  })

  it('is refused whole when a port belongs to another service by then', async () => {
    const owner = (Name: string, PublishedPort: number, PublishMode: 'ingress' | 'host' = 'ingress') => ({
      ...present(Name),
      Endpoint: { Ports: [{ Protocol: 'tcp' as const, TargetPort: 80, PublishedPort, PublishMode }] },
    })
    const check = async (text: string, services: ReturnType<typeof owner>[], prune = false) => {
      const mine = services.filter(({ Spec }) => Spec.Name.startsWith('shop_'))
      checkPorts(planDeploy(await read(text), { networks: [], services: mine }, prune), services)
    }
    const one = 'services: { a: { image: a, ports: ["7070:80"] } }'
    await expect(check(one, [owner('other_x', 7070)])).rejects.toThrow(
      'shop_a: port 7070/tcp is published by service other_x already',
    )
    await expect(check(one, [owner('shop_old', 7070)])).rejects.toMatchObject({ code: 'E_PORT_PUBLISHED' })
    await check(one, [owner('shop_old', 7070)], true)
    await check(one, [owner('shop_a', 7070), owner('other_x', 7071), owner('other_y', 7070, 'host')])
    const moved = 'services: { a: { image: a, ports: ["1:80"] }, b: { image: b, ports: ["7070:80"] } }'
    await check(moved, [owner('shop_a', 7070)])
  })
})
