/**
 * A service's spec as it came -> one that is complete, names networks by id and can be run. What is wrong
 * with it is said in Docker's words.
 */
import { fail } from '../errors.ts'
import { parseConstraint } from '../placement/constraints.ts'
import type {
  EndpointSpec,
  PortConfig,
  ServiceMode,
  ServiceSpec,
  UpdateConfig,
} from '../store/objects/service.ts'
import type { ContainerSpec, NetworkTarget, TaskSpec } from '../store/objects/task-spec.ts'
import { findByRef, type View } from '../store/replica.ts'

/** Networks of the host itself, which every node has. */
export const hostNetworks = ['host', 'none', 'bridge']
/** SwarmKit's. No dots: a service "tasks.web" would have the name of the tasks of "web". */
const namePattern = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?$/
const smallestMemoryBytes = 4 * 2 ** 20

/** @throws E_SPEC_INVALID, E_OBJECT_UNKNOWN, E_UNSUPPORTED, E_CONSTRAINT_INVALID */
export function completeSpec(view: View, spec: Partial<ServiceSpec>): ServiceSpec {
  const Name = completeName(spec.Name)
  const task = completeTask(view, spec)
  const EndpointSpec = completeEndpoint(spec.EndpointSpec)
  const { Networks: _, ...rest } = spec
  checkUpdate('UpdateConfig', spec.UpdateConfig)
  checkUpdate('RollbackConfig', spec.RollbackConfig)
  return {
    ...rest,
    Name,
    Labels: spec.Labels ?? {},
    TaskTemplate: task,
    Mode: completeMode(spec.Mode),
    ...(EndpointSpec && { EndpointSpec }),
  }
}

function invalid(why: string) {
  return fail('E_SPEC_INVALID', { why })
}

function completeName(name: string | undefined): string {
  if (!name) throw invalid('name must be provided')
  if (name.length > 63) throw invalid(`name '${name}' must be 63 characters or fewer`)
  if (!namePattern.test(name)) throw invalid(`name '${name}' must be valid as a DNS name component`)
  return name
}

function completeMode(mode: ServiceMode | undefined): ServiceMode {
  if (mode?.ReplicatedJob || mode?.GlobalJob) throw fail('E_UNSUPPORTED', { what: 'job services' })
  if (mode?.Global) return { Global: {} }
  const Replicas = mode?.Replicated?.Replicas ?? 1
  if (!Number.isSafeInteger(Replicas) || Replicas < 0)
    throw invalid(`Number of replicas '${Replicas}' is not a number from 0`)
  return { Replicated: { Replicas } }
}

function completeTask(view: View, spec: Partial<ServiceSpec>): TaskSpec {
  const task = spec.TaskTemplate
  if (task?.PluginSpec) throw fail('E_UNSUPPORTED', { what: 'plugin services' })
  if (!task?.ContainerSpec?.Image) throw invalid('ContainerSpec: image reference must be provided')
  checkContainer(task.ContainerSpec)
  checkResources(task)
  for (const constraint of task.Placement?.Constraints ?? []) parseConstraint(constraint)
  const condition = task.RestartPolicy?.Condition
  if (condition && !['none', 'on-failure', 'any'].includes(condition)) {
    throw invalid(`invalid restart condition '${condition}': none, on-failure or any`)
  }
  const targets = task.Networks?.length ? task.Networks : (spec.Networks ?? [])
  const Networks = targets.map((target) => completeTarget(view, target))
  const twice = Networks.find((one, i) => Networks.findIndex((other) => other.Target === one.Target) !== i)
  if (twice) throw invalid(`network ${twice.Target} is named more than once`)
  return { ...task, ...(Networks.length > 0 && { Networks }) }
}

function completeTarget(view: View, target: NetworkTarget): NetworkTarget {
  for (const alias of target.Aliases ?? []) {
    if (!/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,252}$/.test(alias)) throw invalid(`'${alias}' can't be an alias`)
  }
  if (hostNetworks.includes(target.Target)) return target
  const [network, ...others] = findByRef(view, 'network', target.Target)
  if (!network || network.Removing) throw fail('E_OBJECT_UNKNOWN', { kind: 'network', ref: target.Target })
  if (others.length > 0)
    throw fail('E_OBJECT_AMBIGUOUS', { kind: 'network', ref: target.Target, count: others.length + 1 })
  if (network.Ingress) throw invalid('Service cannot be explicitly attached to the ingress network')
  return { ...target, Target: network.ID }
}

function checkContainer(spec: ContainerSpec): void {
  if (spec.Secrets?.length) throw fail('E_UNSUPPORTED', { what: 'secrets' })
  if (spec.Configs?.length) throw fail('E_UNSUPPORTED', { what: 'configs' })
  const targets = new Set<string>()
  for (const { Target, Type, Source } of spec.Mounts ?? []) {
    if (!Target) throw invalid('ContainerSpec: mount target must be provided')
    if (targets.has(Target)) throw invalid(`ContainerSpec: duplicate mount point: ${Target}`)
    if (Type === 'bind' && !Source?.startsWith('/')) {
      throw invalid(`invalid mount target, must be an absolute path: bind source '${Source ?? ''}'`)
    }
    targets.add(Target)
  }
}

function checkResources({ Resources = {} }: TaskSpec): void {
  for (const [name, one] of Object.entries({
    Limits: Resources.Limits,
    Reservations: Resources.Reservations,
  })) {
    const { NanoCPUs = 0, MemoryBytes = 0 } = one ?? {}
    if (NanoCPUs !== 0 && NanoCPUs < 1e6)
      throw invalid(`${name}: invalid cpu value ${NanoCPUs / 1e9}: Must be at least 0.001`)
    if (MemoryBytes !== 0 && MemoryBytes < smallestMemoryBytes) {
      throw invalid(`${name}: invalid memory value ${MemoryBytes}: Must be at least 4MiB`)
    }
  }
}

function completeEndpoint(spec: EndpointSpec | undefined): EndpointSpec | undefined {
  if (!spec) return undefined
  const Ports = (spec.Ports ?? []).map(completePort)
  const taken = new Set<string>()
  for (const { PublishedPort, Protocol, PublishMode, TargetPort } of Ports) {
    if (spec.Mode === 'dnsrr' && PublishMode === 'ingress') {
      throw invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode")
    }
    const key = `${PublishedPort ?? `to ${TargetPort}`}/${Protocol}/${PublishMode}`
    if (taken.has(key)) throw invalid('EndpointSpec: duplicate published ports provided')
    taken.add(key)
  }
  return { ...spec, Mode: spec.Mode || 'vip', ...(Ports.length > 0 ? { Ports } : { Ports: undefined }) }
}

function completePort(port: Partial<PortConfig>): PortConfig {
  const { TargetPort, PublishedPort } = port
  const isPort = (number: number | undefined) =>
    Number.isSafeInteger(number) && number! > 0 && number! < 65536
  if (!isPort(TargetPort))
    throw invalid(`EndpointSpec: port target must be between 1 and 65535, not ${TargetPort}`)
  if (PublishedPort && !isPort(PublishedPort))
    throw invalid(`EndpointSpec: invalid published port ${PublishedPort}`)
  const Protocol = port.Protocol || 'tcp'
  if (!['tcp', 'udp', 'sctp'].includes(Protocol))
    throw invalid(`EndpointSpec: invalid protocol '${Protocol}'`)
  const { PublishedPort: _, ...rest } = port
  return {
    ...rest,
    Protocol,
    TargetPort: TargetPort!,
    ...(PublishedPort && { PublishedPort }),
    PublishMode: port.PublishMode || 'ingress',
  }
}

function checkUpdate(name: string, config: UpdateConfig | undefined): void {
  if (!config) return
  for (const key of ['Parallelism', 'Delay', 'Monitor', 'MaxFailureRatio'] as const) {
    if ((config[key] ?? 0) < 0) throw invalid(`TaskSpec: ${name}: ${key} cannot be negative`)
  }
  if ((config.MaxFailureRatio ?? 0) > 1)
    throw invalid(`TaskSpec: ${name}: MaxFailureRatio cannot be greater than 1`)
}
