/** Types of a service's spec. What the values mean together is looked at in service-spec.ts. */
import { boolean, integer, list, map, object, string } from '../../../shared/schema.ts'
import type { ServiceSpec } from '../../store/objects/service.ts'
import { bodyReader, choice, natural } from './check.ts'

const words = list(string)
const driver = object({ Name: string, Options: map(string) })
const subpath = object({ Subpath: string })
const file = object({ Name: string, UID: string, GID: string, Mode: natural })

const mount = object({
  Type: choice('bind', 'volume', 'tmpfs', 'image', 'npipe', 'cluster'),
  Source: string,
  Target: string,
  ReadOnly: boolean,
  Consistency: string,
  BindOptions: object({
    Propagation: choice('private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'),
    NonRecursive: boolean,
    CreateMountpoint: boolean,
    ReadOnlyNonRecursive: boolean,
    ReadOnlyForceRecursive: boolean,
  }),
  VolumeOptions: object({ NoCopy: boolean, Labels: map(string), DriverConfig: driver, Subpath: string }),
  ImageOptions: subpath,
  TmpfsOptions: object({
    SizeBytes: natural,
    Mode: natural,
    Options: list({ type: 'array', items: string, minItems: 1, maxItems: 2 }),
  }),
})

const health = object({
  Test: words,
  Interval: natural,
  Timeout: natural,
  Retries: natural,
  StartPeriod: natural,
  StartInterval: natural,
})

const privileges = object({
  CredentialSpec: object({ Config: string, File: string, Registry: string }),
  SELinuxContext: object({ Disable: boolean, User: string, Role: string, Type: string, Level: string }),
  Seccomp: object({ Mode: choice('default', 'unconfined', 'custom'), Profile: string }),
  AppArmor: object({ Mode: choice('default', 'disabled') }),
  NoNewPrivileges: boolean,
})

const container = object({
  Image: string,
  Labels: map(string),
  Command: words,
  Args: words,
  Hostname: string,
  Env: words,
  Dir: string,
  User: string,
  Groups: words,
  Privileges: privileges,
  TTY: boolean,
  OpenStdin: boolean,
  ReadOnly: boolean,
  Mounts: list(mount),
  StopSignal: string,
  StopGracePeriod: natural,
  Healthcheck: health,
  HealthCheck: health,
  Hosts: words,
  DNSConfig: object({ Nameservers: words, Search: words, Options: words }),
  Secrets: list(object({ File: file, SecretID: string, SecretName: string })),
  Configs: list(object({ File: file, Runtime: object({}), ConfigID: string, ConfigName: string })),
  Isolation: choice('default', 'process', 'hyperv'),
  Init: boolean,
  Sysctls: map(string),
  CapabilityAdd: words,
  CapabilityDrop: words,
  Ulimits: list(object({ Name: string, Soft: integer, Hard: integer })),
  OomScoreAdj: { type: 'integer', minimum: -1000, maximum: 1000 },
})

const genericResource = object({
  NamedResourceSpec: object({ Kind: string, Value: string }),
  DiscreteResourceSpec: object({ Kind: string, Value: integer }),
})

const resources = object({
  Limits: object({ NanoCPUs: integer, MemoryBytes: integer, Pids: integer }),
  Reservations: object({
    NanoCPUs: integer,
    MemoryBytes: integer,
    GenericResources: list(genericResource),
  }),
  SwapBytes: integer,
  MemorySwappiness: { type: 'integer', minimum: -1, maximum: 100 },
})

const networks = list(object({ Target: string, Aliases: words, DriverOpts: map(string) }, ['Target']))

const task = object({
  ContainerSpec: container,
  PluginSpec: object({}),
  NetworkAttachmentSpec: object({ ContainerID: string }),
  Resources: resources,
  RestartPolicy: object({ Condition: string, Delay: natural, MaxAttempts: natural, Window: natural }),
  Placement: object({
    Constraints: words,
    Preferences: list(object({ Spread: object({ SpreadDescriptor: string }) })),
    MaxReplicas: natural,
    Platforms: list(object({ Architecture: string, OS: string })),
  }),
  ForceUpdate: natural,
  Runtime: string,
  Networks: networks,
  LogDriver: driver,
})

const update = (...actions: string[]) =>
  object({
    Parallelism: integer,
    Delay: integer,
    FailureAction: choice(...actions),
    Monitor: integer,
    MaxFailureRatio: { type: 'number' },
    Order: choice('stop-first', 'start-first'),
  })

const endpoint = object({
  Mode: choice('vip', 'dnsrr'),
  Ports: list(
    object({
      Name: string,
      Protocol: string,
      TargetPort: integer,
      PublishedPort: integer,
      PublishMode: choice('ingress', 'host'),
    }),
  ),
})

/** @throws E_SPEC_INVALID */
export const readServiceSpec = bodyReader<Partial<ServiceSpec>>(
  object({
    Name: string,
    Labels: map(string),
    TaskTemplate: task,
    Mode: object({
      Replicated: object({ Replicas: integer }),
      Global: object({}),
      ReplicatedJob: object({ MaxConcurrent: natural, TotalCompletions: natural }),
      GlobalJob: object({}),
    }),
    UpdateConfig: update('continue', 'pause', 'rollback'),
    RollbackConfig: update('continue', 'pause'),
    Networks: networks,
    EndpointSpec: endpoint,
  }),
)
