/**
 * A task -> the body of POST /containers/create.
 */
import type { NodeDescription } from '../store/objects/node.ts'
import { taskName } from '../store/objects/task.ts'
import type { ContainerSpec, Mount } from '../store/objects/task-spec.ts'
import type { TemplateContent } from '../store/objects/template.ts'
import type { TaskRow } from '../wire/rows.ts'
import type { ContainerBody, EndpointConfig } from './engine.ts'
import { expand, type Placeholders } from './expand.ts'

/** The label by which containers of tasks are found again. */
export const taskLabel = 'com.docker.swarm.task.id'

export interface Host {
  nodeId: string
  description: NodeDescription
}

/** Names by which network targets are not the swarm's but the host's own. */
const hostNetworks = ['host', 'none', 'bridge', 'default']

/** As Swarm names containers. */
export function containerName(row: TaskRow, nodeId: string): string {
  return taskName(row.ServiceName, { ...row, NodeID: nodeId })
}

/** @throws Error when the spec names something that can't be had; its message is the task's */
export function containerBody(row: TaskRow, template: TemplateContent, host: Host): ContainerBody {
  const { Spec } = template
  const spec = Spec.ContainerSpec
  if (!spec) throw new Error('the task has no container')
  const fill = (text: string) => expand(text, placeholdersOf(row, host), row.ServiceLabels)
  const networks = row.Attachments.map(({ NetworkID }) => NetworkID)
  const hostNetwork = (Spec.Networks ?? [])
    .map(({ Target }) => Target)
    .find((name) => hostNetworks.includes(name))
  const body: ContainerBody = {
    Image: spec.Image,
    Labels: { ...spec.Labels, ...labelsOf(row, host) },
    HostConfig: {
      NetworkMode: networks[0] ?? hostNetwork ?? 'default',
      RestartPolicy: { Name: 'no' },
      ...hostConfigOf(spec, template),
      ...(template.HostPorts.length > 0 && { PortBindings: portBindingsOf(template) }),
      ...(spec.Mounts?.length && { Mounts: spec.Mounts.map((mount) => fillMount(mount, fill)) }),
    },
    NetworkingConfig: { EndpointsConfig: endpointsOf(row, template) },
  }
  const health = spec.Healthcheck ?? spec.HealthCheck
  return {
    ...body,
    ...(spec.Args?.length && { Cmd: spec.Args }),
    ...(spec.Command?.length && { Entrypoint: spec.Command }),
    ...(spec.Env && { Env: spec.Env.map(fill) }),
    ...(spec.Hostname && { Hostname: fill(spec.Hostname) }),
    ...(spec.User && { User: spec.User }),
    ...(spec.Dir && { WorkingDir: spec.Dir }),
    ...(spec.TTY && { Tty: true }),
    ...(spec.OpenStdin && { OpenStdin: true }),
    ...(spec.StopSignal && { StopSignal: spec.StopSignal }),
    ...(health && { Healthcheck: health }),
    ...(template.HostPorts.length > 0 && { ExposedPorts: exposedPortsOf(template) }),
  }
}

function labelsOf(row: TaskRow, { nodeId }: Host): Record<string, string> {
  return {
    'com.docker.swarm.node.id': nodeId,
    'com.docker.swarm.service.id': row.ServiceID,
    'com.docker.swarm.service.name': row.ServiceName,
    'com.docker.swarm.task': '',
    [taskLabel]: row.ID,
    'com.docker.swarm.task.name': containerName(row, nodeId),
  }
}

function placeholdersOf(row: TaskRow, { nodeId, description }: Host): Placeholders {
  return {
    'Service.ID': row.ServiceID,
    'Service.Name': row.ServiceName,
    'Node.ID': nodeId,
    'Node.Hostname': description.Hostname,
    'Node.Platform.Architecture': description.Platform.Architecture ?? '',
    'Node.Platform.OS': description.Platform.OS ?? '',
    'Task.ID': row.ID,
    'Task.Name': containerName(row, nodeId),
    'Task.Slot': row.Slot > 0 ? `${row.Slot}` : nodeId,
  }
}

function hostConfigOf(spec: ContainerSpec, { Spec }: TemplateContent): Partial<ContainerBody['HostConfig']> {
  const { Limits, Reservations } = Spec.Resources ?? {}
  const security = securityOf(spec)
  return {
    ...(Limits?.NanoCPUs && { NanoCpus: Limits.NanoCPUs }),
    ...(Limits?.MemoryBytes && { Memory: Limits.MemoryBytes }),
    ...(Limits?.Pids && { PidsLimit: Limits.Pids }),
    ...(Reservations?.MemoryBytes && { MemoryReservation: Reservations.MemoryBytes }),
    ...(spec.CapabilityAdd && { CapAdd: spec.CapabilityAdd }),
    ...(spec.CapabilityDrop && { CapDrop: spec.CapabilityDrop }),
    ...(spec.DNSConfig?.Nameservers && { Dns: spec.DNSConfig.Nameservers }),
    ...(spec.DNSConfig?.Search && { DnsSearch: spec.DNSConfig.Search }),
    ...(spec.DNSConfig?.Options && { DnsOptions: spec.DNSConfig.Options }),
    ...(spec.Hosts && { ExtraHosts: spec.Hosts.flatMap(extraHosts) }),
    ...(spec.Groups && { GroupAdd: spec.Groups }),
    ...(spec.Init !== undefined && { Init: spec.Init }),
    ...(Spec.LogDriver && { LogConfig: { Type: Spec.LogDriver.Name, Config: Spec.LogDriver.Options ?? {} } }),
    ...(spec.OomScoreAdj && { OomScoreAdj: spec.OomScoreAdj }),
    ...(spec.ReadOnly && { ReadonlyRootfs: true }),
    ...(security.length > 0 && { SecurityOpt: security }),
    ...(spec.Sysctls && { Sysctls: spec.Sysctls }),
    ...(spec.Ulimits && { Ulimits: spec.Ulimits }),
    ...(spec.Isolation && { Isolation: spec.Isolation }),
  }
}

/** hosts(5) lines "ADDRESS NAME ALIAS..." -> "NAME:ADDRESS", as containers have them. */
function extraHosts(line: string): string[] {
  const [address, ...names] = line.trim().split(/\s+/)
  return names.map((name) => `${name}:${address}`)
}

function securityOf({ Privileges = {} }: ContainerSpec): string[] {
  const { NoNewPrivileges, Seccomp, AppArmor } = Privileges as {
    NoNewPrivileges?: boolean
    Seccomp?: { Mode?: string; Profile?: string }
    AppArmor?: { Mode?: string }
  }
  return [
    ...(NoNewPrivileges ? ['no-new-privileges'] : []),
    ...(Seccomp?.Mode === 'unconfined' ? ['seccomp=unconfined'] : []),
    ...(Seccomp?.Mode === 'custom' && Seccomp.Profile
      ? [`seccomp=${Buffer.from(Seccomp.Profile, 'base64').toString()}`]
      : []),
    ...(AppArmor?.Mode === 'disabled' ? ['apparmor=unconfined'] : []),
  ]
}

function fillMount(mount: Mount, fill: (text: string) => string): Mount {
  return {
    ...mount,
    Target: fill(mount.Target),
    ...(mount.Source !== undefined && { Source: fill(mount.Source) }),
  }
}

function exposedPortsOf({ HostPorts }: TemplateContent): Record<string, object> {
  return Object.fromEntries(HostPorts.map((port) => [`${port.TargetPort}/${port.Protocol}`, {}]))
}

function portBindingsOf({ HostPorts }: TemplateContent): ContainerBody['HostConfig']['PortBindings'] {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of HostPorts) {
    const key = `${port.TargetPort}/${port.Protocol}`
    bindings[key] = [...(bindings[key] ?? []), { HostIp: '', HostPort: `${port.PublishedPort ?? ''}` }]
  }
  return bindings
}

function endpointsOf(row: TaskRow, { Spec }: TemplateContent): Record<string, EndpointConfig> {
  return Object.fromEntries(
    row.Attachments.map(({ NetworkID, Address, MacAddress }) => {
      const { Aliases = [], DriverOpts } = Spec.Networks?.find(({ Target }) => Target === NetworkID) ?? {}
      const IPv4Address = Address.replace(/\/.*/, '')
      const config = { IPAMConfig: { IPv4Address }, MacAddress, Aliases, ...(DriverOpts && { DriverOpts }) }
      return [NetworkID, config]
    }),
  )
}
