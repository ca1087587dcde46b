/**
 * `deploy` and its older relatives (restart, scale, mem_limit, cpus) -> the parts of a service's spec.
 */
import type { ServiceMode, UpdateConfig } from '../store/objects/service.ts'
import type { Placement, RestartPolicy, TaskSpec } from '../store/objects/task-spec.ts'
import type { Reader } from './reader.ts'

export function readMode(service: Reader): ServiceMode {
  const deploy = service.at('deploy')
  const mode = deploy.at('mode').oneOf(['replicated', 'global', 'replicated-job', 'global-job'] as const)
  const replicas = deploy.at('replicas').count() ?? service.at('scale').count()
  switch (mode) {
    case 'global':
      if (replicas !== undefined) throw deploy.at('replicas').invalid('a global service has no replicas')
      return { Global: {} }
    case 'replicated-job':
      return { ReplicatedJob: { MaxConcurrent: replicas ?? 1, TotalCompletions: replicas ?? 1 } }
    case 'global-job':
      return { GlobalJob: {} }
    default:
      return { Replicated: { Replicas: replicas ?? 1 } }
  }
}

export function readResources(service: Reader): TaskSpec['Resources'] {
  const { limits, reservations } = {
    limits: service.at('deploy').at('resources').at('limits'),
    reservations: service.at('deploy').at('resources').at('reservations'),
  }
  const Limits = defined({
    NanoCPUs: limits.at('cpus').cpus() ?? service.at('cpus').cpus(),
    MemoryBytes: limits.at('memory').bytes() ?? service.at('mem_limit').bytes(),
    Pids: limits.at('pids').count() ?? service.at('pids_limit').count(),
  })
  const Reservations = defined({
    NanoCPUs: reservations.at('cpus').cpus(),
    MemoryBytes: reservations.at('memory').bytes() ?? service.at('mem_reservation').bytes(),
  })
  if (reservations.at('generic_resources').isThere)
    reservations.at('generic_resources').warn('generic resources are not supported yet')
  return { ...(Limits && { Limits }), ...(Reservations && { Reservations }) }
}

export function readRestart(service: Reader): RestartPolicy | undefined {
  const policy = service.at('deploy').at('restart_policy')
  if (policy.isThere) {
    return defined({
      Condition: policy.at('condition').oneOf(['none', 'on-failure', 'any'] as const),
      Delay: policy.at('delay').duration(),
      MaxAttempts: policy.at('max_attempts').count(),
      Window: policy.at('window').duration(),
    })
  }
  const restart = service.at('restart')
  const [condition, attempts] = (restart.text() ?? '').split(':')
  switch (condition) {
    case '':
      return undefined
    case 'always':
    case 'unless-stopped':
      return { Condition: 'any' }
    case 'no':
    case 'false':
      return { Condition: 'none' }
    case 'on-failure':
      return { Condition: 'on-failure', ...(attempts && { MaxAttempts: Number(attempts) }) }
    default:
      throw restart.invalid(`'${condition}' is none of no, always, on-failure[:N], unless-stopped`)
  }
}

export function readPlacement(service: Reader): Placement | undefined {
  const placement = service.at('deploy').at('placement')
  const preferences = placement
    .at('preferences')
    .items()
    .flatMap((one) => one.at('spread').text() ?? [])
  return defined({
    Constraints: placement.at('constraints').texts(),
    Preferences:
      preferences.length > 0
        ? preferences.map((SpreadDescriptor) => ({ Spread: { SpreadDescriptor } }))
        : undefined,
    MaxReplicas: placement.at('max_replicas_per_node').count(),
  })
}

export function readUpdate(config: Reader): UpdateConfig | undefined {
  if (!config.isThere) return undefined
  return {
    // What is left out is 1 here, as in Docker; 0 is all at once.
    Parallelism: config.at('parallelism').count() ?? 1,
    ...defined({
      Delay: config.at('delay').duration(),
      FailureAction: config.at('failure_action').oneOf(['continue', 'pause', 'rollback'] as const),
      Monitor: config.at('monitor').duration(),
      MaxFailureRatio: config.at('max_failure_ratio').number(),
      Order: config.at('order').oneOf(['start-first', 'stop-first'] as const),
    }),
  }
}

/** The members that are there; undefined when none is. */
export function defined<T extends object>(members: T): T | undefined {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined)
  return entries.length > 0 ? (Object.fromEntries(entries) as T) : undefined
}
