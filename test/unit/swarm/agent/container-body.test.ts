import { describe, expect, it } from 'vitest'
import { containerBody, containerName } from '../../../../src/swarm/agent/container-body.ts'
import type { PortConfig } from '../../../../src/swarm/store/objects/service.ts'
import type { TaskSpec } from '../../../../src/swarm/store/objects/task-spec.ts'
import type { TaskRow } from '../../../../src/swarm/wire/rows.ts'

const row: TaskRow = {
  ID: 'task1',
  ServiceID: 'service1',
  ServiceName: 'web',
  ServiceLabels: { tier: 'front' },
  Slot: 2,
  TemplateID: 't',
  DesiredState: 'running',
  State: 'assigned',
  Attachments: [],
}
const host = {
  nodeId: 'node1',
  description: {
    Hostname: 'alpha',
    Platform: { Architecture: 'x86_64', OS: 'linux' },
    Resources: {},
    Engine: { EngineVersion: '1' },
  },
}
const body = (
  container: object,
  task: TaskSpec = {},
  HostPorts: PortConfig[] = [],
  more: Partial<TaskRow> = {},
) =>
  containerBody(
    { ...row, ...more },
    { Spec: { ContainerSpec: { Image: 'img', ...container }, ...task }, HostPorts, Ingress: false, Core: '' },
    host,
  )

describe("a task's container", () => {
  it('is called SERVICE.SLOT.ID, or by its node where there are no slots', () => {
    expect(containerName(row, 'node1')).toBe('web.2.task1')
    expect(containerName({ ...row, Slot: 0 }, 'node1')).toBe('web.node1.task1')
  })

  it('has the labels by which Swarm knows it', () => {
    expect(body({ Labels: { own: '1' } })).toEqual({
      Image: 'img',
      Labels: {
        own: '1',
        'com.docker.swarm.node.id': 'node1',
        'com.docker.swarm.service.id': 'service1',
        'com.docker.swarm.service.name': 'web',
        'com.docker.swarm.task': '',
        'com.docker.swarm.task.id': 'task1',
        'com.docker.swarm.task.name': 'web.2.task1',
      },
      HostConfig: { NetworkMode: 'default', RestartPolicy: { Name: 'no' } },
      NetworkingConfig: { EndpointsConfig: {} },
    })
  })

  it('has what the spec says of its command and host', () => {
    expect(
      body(
        {
          Command: ['/e'],
          Args: ['a'],
          User: 'u',
          Dir: '/d',
          TTY: true,
          StopSignal: 'SIGINT',
          Init: true,
          Hosts: ['1.2.3.4 a b'],
          Privileges: { NoNewPrivileges: true },
        },
        {
          Resources: {
            Limits: { NanoCPUs: 5e8, MemoryBytes: 1e8, Pids: 9 },
            Reservations: { MemoryBytes: 1e7 },
          },
          LogDriver: { Name: 'none' },
        },
      ),
    ).toMatchObject({
      Entrypoint: ['/e'],
      Cmd: ['a'],
      User: 'u',
      WorkingDir: '/d',
      Tty: true,
      StopSignal: 'SIGINT',
      HostConfig: {
        NanoCpus: 5e8,
        Memory: 1e8,
        PidsLimit: 9,
        MemoryReservation: 1e7,
        Init: true,
        ExtraHosts: ['a:1.2.3.4', 'b:1.2.3.4'],
        SecurityOpt: ['no-new-privileges'],
        LogConfig: { Type: 'none', Config: {} },
      },
    })
  })

  it('is on the networks of the swarm with its own addresses, or on those of the host', () => {
    const Attachments = [{ NetworkID: 'net1', Address: '10.0.1.5/24', MacAddress: '02:42:0a:00:01:05' }]
    const target = { Target: 'net1', Aliases: ['www'], DriverOpts: { a: 'b' } }
    const on = body({}, { Networks: [target] }, [], { Attachments })
    expect(on.HostConfig.NetworkMode).toBe('net1')
    expect(on.NetworkingConfig.EndpointsConfig).toEqual({
      net1: {
        IPAMConfig: { IPv4Address: '10.0.1.5' },
        MacAddress: '02:42:0a:00:01:05',
        Aliases: ['www'],
        DriverOpts: { a: 'b' },
      },
    })
    expect(body({}, { Networks: [{ Target: 'host' }] }).HostConfig.NetworkMode).toBe('host')
  })

  it('publishes its ports in host mode itself', () => {
    const ports: PortConfig[] = [
      { Protocol: 'tcp', TargetPort: 80, PublishedPort: 8080, PublishMode: 'host' },
      { Protocol: 'udp', TargetPort: 53, PublishMode: 'host' },
    ]
    expect(body({}, {}, ports)).toMatchObject({
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      HostConfig: {
        PortBindings: {
          '80/tcp': [{ HostIp: '', HostPort: '8080' }],
          '53/udp': [{ HostIp: '', HostPort: '' }],
        },
      },
    })
  })

  it('has placeholders filled in', () => {
    const filled = body({
      Hostname: '{{.Node.Hostname}}-{{ .Task.Slot }}',
      Env: [
        'A={{.Service.Name}}/{{.Task.ID}}',
        'L={{index .Service.Labels "tier"}}{{.Service.Labels.none}}',
        'P={{.Node.Platform.OS}}',
      ],
      Mounts: [{ Type: 'volume', Source: 'data-{{.Task.Slot}}', Target: '/data' }],
    })
    expect(filled.Hostname).toBe('alpha-2')
    expect(filled.Env).toEqual(['A=web/task1', 'L=front', 'P=linux'])
    expect(filled.HostConfig.Mounts).toEqual([{ Type: 'volume', Source: 'data-2', Target: '/data' }])
    expect(() => body({ Hostname: '{{.Node.Secret}}' })).toThrow('no such placeholder: {{.Node.Secret}}')
  })
})
