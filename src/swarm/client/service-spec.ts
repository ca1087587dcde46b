/**
 * Flags of `service create` and `service update` -> changes of a service's spec. Create changes an empty one.
 */
import { fail } from '../errors.ts'
import { defined } from '../stack/deploy-keys.ts'
import { splitWords } from '../stack/words.ts'
import type { EndpointSpec, ServiceMode, ServiceSpec, UpdateConfig } from '../store/objects/service.ts'
import type {
  ContainerSpec,
  HealthConfig,
  Placement,
  RestartPolicy,
  TaskSpec,
} from '../store/objects/task-spec.ts'
import {
  bytesFlag,
  cpusFlag,
  durationFlag,
  networkFlag,
  pairsFlag,
  publishFlag,
  ratioFlag,
  unpublishFlag,
} from './flag-values.ts'
import { mountFlag } from './mount-flag.ts'

/** Flags by name, as the command line has them; `...-add` and `...-rm` change lists. */
export interface ServiceFlags {
  [flag: string]: string | number | boolean | string[] | undefined
}

export function newServiceSpec(
  name: string,
  image: string,
  args: string[],
  flags: ServiceFlags,
): ServiceSpec {
  const mode = flags.mode === 'global' ? { Global: {} } : { Replicated: { Replicas: 1 } }
  const ContainerSpec = { Image: image, ...(args.length > 0 && { Args: args }) }
  const empty: ServiceSpec = { Name: name, Labels: {}, TaskTemplate: { ContainerSpec }, Mode: mode }
  return changeServiceSpec(empty, flags)
}

/** @throws E_FLAG_INVALID */
export function changeServiceSpec(spec: ServiceSpec, flags: ServiceFlags): ServiceSpec {
  const read = new Flags(flags)
  return {
    ...spec,
    Labels: changePairs(spec.Labels, read.texts('label-add'), read.texts('label-rm')),
    Mode: changeMode(spec.Mode, read),
    TaskTemplate: changeTask(spec.TaskTemplate, read),
    ...defined({
      UpdateConfig: changeUpdate(spec.UpdateConfig, 'update', read),
      RollbackConfig: changeUpdate(spec.RollbackConfig, 'rollback', read),
      EndpointSpec: changeEndpoint(spec.EndpointSpec, read),
    }),
  }
}

/** Flags by type; each is undefined when it was not given. */
class Flags {
  readonly #flags: ServiceFlags

  constructor(flags: ServiceFlags) {
    this.#flags = flags
  }

  text(flag: string): string | undefined {
    const value = this.#flags[flag]
    return value === undefined ? undefined : String(value)
  }

  texts(flag: string): string[] {
    return (this.#flags[flag] as string[] | undefined) ?? []
  }

  count(flag: string): number | undefined {
    const value = this.#flags[flag]
    if (value === undefined) return undefined
    if (Number.isSafeInteger(Number(value)) && Number(value) >= 0) return Number(value)
    throw fail('E_FLAG_INVALID', { flag, value: String(value), why: 'not a whole number from 0' })
  }

  flag(flag: string): boolean | undefined {
    return this.#flags[flag] as boolean | undefined
  }

  read<T>(flag: string, parse: (flag: string, value: string) => T): T | undefined {
    const value = this.text(flag)
    return value === undefined ? undefined : parse(flag, value)
  }
}

function changeMode(mode: ServiceMode, read: Flags): ServiceMode {
  const Replicas = read.count('replicas')
  if (Replicas === undefined) return mode
  if (!mode.Replicated)
    throw fail('E_FLAG_INVALID', {
      flag: 'replicas',
      value: `${Replicas}`,
      why: 'only a replicated service has replicas',
    })
  return { Replicated: { Replicas } }
}

function changeTask(task: TaskSpec, read: Flags): TaskSpec {
  const { Limits, Reservations } = task.Resources ?? {}
  const networks = (task.Networks ?? []).filter(({ Target }) => !read.texts('network-rm').includes(Target))
  const driver = read.text('log-driver')
  const options = read.texts('log-opt')
  const LogDriver =
    driver === undefined && options.length === 0
      ? task.LogDriver
      : {
          Name: driver ?? task.LogDriver?.Name ?? '',
          Options: changePairs(task.LogDriver?.Options, options, []),
        }
  const Networks = [...networks, ...read.texts('network-add').map((value) => networkFlag('network', value))]
  return {
    ...task,
    ContainerSpec: changeContainer(task.ContainerSpec!, read),
    ...defined({
      Resources: defined({
        Limits: changed(Limits, {
          NanoCPUs: read.read('limit-cpu', cpusFlag),
          MemoryBytes: read.read('limit-memory', bytesFlag),
          Pids: read.count('limit-pids'),
        }),
        Reservations: changed(Reservations, {
          NanoCPUs: read.read('reserve-cpu', cpusFlag),
          MemoryBytes: read.read('reserve-memory', bytesFlag),
        }),
      }),
      RestartPolicy: changed(task.RestartPolicy, {
        Condition: read.text('restart-condition') as RestartPolicy['Condition'],
        Delay: read.read('restart-delay', durationFlag),
        MaxAttempts: read.count('restart-max-attempts'),
        Window: read.read('restart-window', durationFlag),
      }),
      Placement: changePlacement(task.Placement, read),
      LogDriver,
      ForceUpdate: read.flag('force') ? (task.ForceUpdate ?? 0) + 1 : task.ForceUpdate,
    }),
    Networks,
  }
}

function changeContainer(spec: ContainerSpec, read: Flags): ContainerSpec {
  const entrypoint = read.text('entrypoint')
  const args = read.text('args')
  const mounts = (spec.Mounts ?? []).filter(({ Target }) => !read.texts('mount-rm').includes(Target))
  const added = read.texts('mount-add').map((value) => mountFlag('mount', value))
  const Mounts = [...mounts.filter(({ Target }) => !added.some((one) => one.Target === Target)), ...added]
  return {
    ...spec,
    ...defined({
      Image: read.text('image'),
      Args: args === undefined ? undefined : words('args', args),
      Command: entrypoint === undefined ? undefined : words('entrypoint', entrypoint),
      Env: changeEnv(spec.Env, read),
      Labels: optionalPairs(
        changePairs(spec.Labels, read.texts('container-label-add'), read.texts('container-label-rm')),
      ),
      Mounts: Mounts.length > 0 || spec.Mounts ? Mounts : undefined,
      Dir: read.text('workdir'),
      User: read.text('user'),
      Hostname: read.text('hostname'),
      Groups: changeList(spec.Groups, read, 'group'),
      StopSignal: read.text('stop-signal'),
      StopGracePeriod: read.read('stop-grace-period', durationFlag),
      Healthcheck: changeHealth(spec.Healthcheck ?? spec.HealthCheck, read),
      Hosts: changeHosts(spec.Hosts, read),
      DNSConfig: defined({
        Nameservers: changeList(spec.DNSConfig?.Nameservers, read, 'dns'),
        Search: changeList(spec.DNSConfig?.Search, read, 'dns-search'),
        Options: changeList(spec.DNSConfig?.Options, read, 'dns-option'),
      }),
      TTY: read.flag('tty'),
      ReadOnly: read.flag('read-only'),
      CapabilityAdd: changeList(spec.CapabilityAdd, read, 'cap'),
      CapabilityDrop:
        read.texts('cap-drop').length > 0
          ? [...(spec.CapabilityDrop ?? []), ...read.texts('cap-drop')]
          : undefined,
      Sysctls: optionalPairs(changePairs(spec.Sysctls, read.texts('sysctl-add'), read.texts('sysctl-rm'))),
    }),
  }
}

function changePlacement(placement: Placement | undefined, read: Flags): Placement | undefined {
  const preferences = read.texts('placement-pref-add').map((value) => {
    const SpreadDescriptor = /^spread=(.+)$/.exec(value)?.[1]
    if (!SpreadDescriptor)
      throw fail('E_FLAG_INVALID', { flag: 'placement-pref', value, why: 'only spread=LABEL is known' })
    return { Spread: { SpreadDescriptor } }
  })
  return changed(placement, {
    Constraints: changeList(placement?.Constraints, read, 'constraint'),
    Preferences: preferences.length > 0 ? [...(placement?.Preferences ?? []), ...preferences] : undefined,
    MaxReplicas: read.count('replicas-max-per-node'),
  })
}

function changeUpdate(
  config: UpdateConfig | undefined,
  prefix: 'update' | 'rollback',
  read: Flags,
): UpdateConfig | undefined {
  return changed(config, {
    Parallelism: read.count(`${prefix}-parallelism`),
    Delay: read.read(`${prefix}-delay`, durationFlag),
    Monitor: read.read(`${prefix}-monitor`, durationFlag),
    FailureAction: read.text(`${prefix}-failure-action`) as UpdateConfig['FailureAction'],
    MaxFailureRatio: read.read(`${prefix}-max-failure-ratio`, ratioFlag),
    Order: read.text(`${prefix}-order`) as UpdateConfig['Order'],
  })
}

function changeEndpoint(endpoint: EndpointSpec | undefined, read: Flags): EndpointSpec | undefined {
  const added = read.texts('publish-add').flatMap((value) => publishFlag('publish', value))
  const removals = read.texts('publish-rm').map((value) => unpublishFlag('publish-rm', value))
  const kept = (endpoint?.Ports ?? []).filter(
    (port) =>
      !removals.some((removes) => removes(port)) &&
      !added.some(
        (one) =>
          one.PublishedPort === port.PublishedPort && one.Protocol === port.Protocol && one.PublishedPort,
      ),
  )
  const Mode = (read.text('endpoint-mode') as EndpointSpec['Mode']) ?? endpoint?.Mode
  const Ports = [...kept, ...added]
  if (!endpoint && !Mode && Ports.length === 0) return undefined
  return { ...(Mode && { Mode }), Ports }
}

function changeHealth(health: HealthConfig | undefined, read: Flags): HealthConfig | undefined {
  if (read.flag('no-healthcheck')) return { Test: ['NONE'] }
  const command = read.text('health-cmd')
  return changed(health, {
    Test: command === undefined ? undefined : command === '' ? [] : ['CMD-SHELL', command],
    Interval: read.read('health-interval', durationFlag),
    Timeout: read.read('health-timeout', durationFlag),
    Retries: read.count('health-retries'),
    StartPeriod: read.read('health-start-period', durationFlag),
  })
}

/** Later values win; a variable without value takes the caller's. Sorted, so that equal is equal. */
function changeEnv(env: string[] | undefined, read: Flags): string[] | undefined {
  const [added, removed] = [read.texts('env-add'), read.texts('env-rm')]
  if (added.length + removed.length === 0) return undefined
  const values = new Map(pairsFlag(env ?? []))
  for (const [key, value] of pairsFlag(added)) values.set(key, value ?? process.env[key])
  for (const key of removed) values.delete(key)
  return [...values].map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).sort()
}

function changePairs(
  pairs: Record<string, string> | undefined,
  added: string[],
  removed: string[],
): Record<string, string> {
  const values = { ...pairs }
  for (const [key, value] of pairsFlag(added)) values[key] = value ?? ''
  for (const key of removed) delete values[key]
  return values
}

function optionalPairs(pairs: Record<string, string>): Record<string, string> | undefined {
  return Object.keys(pairs).length > 0 ? pairs : undefined
}

function changeList(list: string[] | undefined, read: Flags, name: string): string[] | undefined {
  const [added, removed] = [read.texts(`${name}-add`), read.texts(`${name}-rm`)]
  if (added.length + removed.length === 0) return undefined
  return [...new Set([...(list ?? []), ...added])].filter((value) => !removed.includes(value))
}

/** Flags are NAME:ADDRESS; the spec has lines of hosts(5). */
function changeHosts(hosts: string[] | undefined, read: Flags): string[] | undefined {
  const line = (value: string) => {
    const at = value.indexOf(':')
    if (at < 1) throw fail('E_FLAG_INVALID', { flag: 'host', value, why: 'not NAME:ADDRESS' })
    return `${value.slice(at + 1)} ${value.slice(0, at)}`
  }
  const [added, removed] = [read.texts('host-add').map(line), read.texts('host-rm').map(line)]
  if (added.length + removed.length === 0) return undefined
  return [...(hosts ?? []), ...added].filter((host) => !removed.includes(host))
}

function words(flag: string, value: string): string[] {
  const list = splitWords(value)
  if (!list) throw fail('E_FLAG_INVALID', { flag, value, why: 'a quote is not closed' })
  return list
}

/** The old object with the members that are not undefined; undefined when there is neither. */
function changed<T extends object>(old: T | undefined, members: T): T | undefined {
  const given = defined(members)
  return given || old ? { ...old, ...given! } : undefined
}
