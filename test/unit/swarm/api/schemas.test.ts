import { describe, expect, it } from 'vitest'
import { readServiceSpec } from '../../../../src/swarm/api/schemas/service.ts'
import {
  readInit,
  readJoin,
  readNetwork,
  readNodeSpec,
  readSwarmSpec,
} from '../../../../src/swarm/api/schemas/swarm.ts'

/** { a: { b: 1 } } from "a.b": what the refusal must name. */
function at(path: string, value: unknown): object {
  return path
    .split('.')
    .reverse()
    .reduce<unknown>((inner, key) => (key === '0' ? [inner] : { [key]: inner }), value) as object
}

const refused = (read: (body: unknown) => unknown, path: string, value: unknown, field = path) =>
  expect(() => read(at(path, value))).toThrow(
    expect.objectContaining({
      code: 'E_SPEC_INVALID',
      http: 400,
      message: expect.stringMatching(new RegExp(`^invalid request body: ${field} [^\\n]*$`)),
    }),
  )

describe('the body of a service', () => {
  it.each<[string, unknown]>([
    ['Name', 5],
    ['Labels', []],
    ['Labels.a', 1],
    ['TaskTemplate', 'x'],
    ['TaskTemplate.ContainerSpec.Image', {}],
    ['TaskTemplate.ContainerSpec.Args', 'sh'],
    ['TaskTemplate.ContainerSpec.Env.0', 1],
    ['TaskTemplate.ContainerSpec.Mounts.0.Type', 'floppy'],
    ['TaskTemplate.ContainerSpec.Mounts.0.TmpfsOptions.SizeBytes', '1m'],
    ['TaskTemplate.ContainerSpec.StopGracePeriod', '10s'],
    ['TaskTemplate.ContainerSpec.Healthcheck.Interval', -1],
    ['TaskTemplate.ContainerSpec.Healthcheck.Test', 'true'],
    ['TaskTemplate.ContainerSpec.DNSConfig.Search', 'a'],
    ['TaskTemplate.ContainerSpec.Ulimits.0.Soft', '5'],
    ['TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges', 'yes'],
    ['TaskTemplate.Resources.Limits.MemoryBytes', '64m'],
    ['TaskTemplate.Resources.Reservations.NanoCPUs', 0.5],
    ['TaskTemplate.Resources.Reservations.GenericResources.0.DiscreteResourceSpec.Value', 'x'],
    ['TaskTemplate.RestartPolicy.Delay', '5s'],
    ['TaskTemplate.RestartPolicy.Window', -1],
    ['TaskTemplate.RestartPolicy.MaxAttempts', 1.5],
    ['TaskTemplate.Placement.Constraints', 'node.role==worker'],
    ['TaskTemplate.Placement.Preferences.0.Spread.SpreadDescriptor', 5],
    ['TaskTemplate.Placement.Platforms.0', 'linux'],
    ['TaskTemplate.Placement.Platforms.0.OS', 1],
    ['TaskTemplate.Placement.MaxReplicas', -1],
    ['TaskTemplate.ForceUpdate', -1],
    ['TaskTemplate.Networks.0.Target', 1],
    ['TaskTemplate.LogDriver.Options.a', 1],
    ['Mode.Replicated', 3],
    ['Mode.Global', true],
    ['UpdateConfig.FailureAction', 'explode'],
    ['UpdateConfig.Order', 'both'],
    ['UpdateConfig.Delay', '1s'],
    ['UpdateConfig.MaxFailureRatio', '0.5'],
    ['RollbackConfig.FailureAction', 'rollback'],
    ['EndpointSpec.Mode', 'magic'],
    ['EndpointSpec.Ports', {}],
    ['EndpointSpec.Ports.0.PublishMode', 'everywhere'],
    ['EndpointSpec.Ports.0.TargetPort', '80'],
  ])('with a wrong %s is refused', (path, value) => refused(readServiceSpec, path, value))

  it('is taken as Docker sends it, with null for what was not said', () => {
    const body = {
      Name: 'web',
      Labels: null,
      TaskTemplate: {
        ContainerSpec: { Image: 'img', Args: null, Mounts: null, Init: null, DNSConfig: {} },
        Resources: { Limits: {}, Reservations: null },
        RestartPolicy: { Condition: '', Delay: 5e9, MaxAttempts: null },
        Placement: { Preferences: null, Platforms: [{ OS: 'linux', Architecture: 'amd64' }] },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 2 }, Global: null },
      UpdateConfig: { Parallelism: 1, FailureAction: '', Order: 'start-first' },
      EndpointSpec: { Mode: '', Ports: null },
      Somewhat: 'new',
    }
    expect(readServiceSpec(body)).toEqual({
      Name: 'web',
      TaskTemplate: {
        ContainerSpec: { Image: 'img', DNSConfig: {} },
        Resources: { Limits: {} },
        RestartPolicy: { Condition: '', Delay: 5e9 },
        Placement: { Platforms: [{ OS: 'linux', Architecture: 'amd64' }] },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 2 } },
      UpdateConfig: { Parallelism: 1, FailureAction: '', Order: 'start-first' },
      EndpointSpec: { Mode: '' },
      Somewhat: 'new',
    })
  })
})

describe('the body of another call of the swarm', () => {
  it.each<[string, unknown]>([
    ['ListenAddr', 1],
    ['AdvertiseAddr', {}],
    ['DataPathAddr', []],
    ['DataPathPort', '4789'],
    ['DefaultAddrPool', '10.0.0.0/8'],
    ['SubnetSize', 30],
    ['SubnetSize', '24'],
    ['ForceNewCluster', 'no'],
    ['Availability', 'gone'],
    ['Spec', []],
    ['Spec.CAConfig.NodeCertExpiry', '90d'],
  ])('init with a wrong %s is refused', (path, value) => refused(readInit, path, value))

  it.each<[string, unknown]>([
    ['RemoteAddrs', 'a:2377'],
    ['RemoteAddrs.0', 1],
    ['JoinToken', 1],
    ['Availability', 'gone'],
  ])('join with a wrong %s is refused', (path, value) => refused(readJoin, path, value))

  it.each<[string, unknown]>([
    ['Labels.a', 1],
    ['Dispatcher.HeartbeatPeriod', '5s'],
    ['Orchestration.TaskHistoryRetentionLimit', -1],
    ['CAConfig.ExternalCAs', {}],
    ['EncryptionConfig.AutoLockManagers', 1],
    ['TaskDefaults.LogDriver.Name', 1],
  ])('update with a wrong %s is refused', (path, value) => refused(readSwarmSpec, path, value))

  it.each<[string, unknown]>([
    ['Name', 1],
    ['Labels', 'a=b'],
    ['Role', 1],
    ['Availability', {}],
  ])('update of a node with a wrong %s is refused', (path, value) => refused(readNodeSpec, path, value))

  it.each<[string, unknown]>([
    ['Name', 1],
    ['Attachable', 'yes'],
    ['Options', []],
    ['Labels.a', 1],
    ['IPAM.Config', {}],
    ['IPAM.Config.0.Subnet', 10],
  ])('a network with a wrong %s is refused', (path, value) => refused(readNetwork, path, value))
})
