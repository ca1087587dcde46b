/** Types of the bodies of /containers and /exec, as far as a wrong one would otherwise be an error deep inside. */
import { boolean, integer, list, map, nullable, object, string } from '../../../shared/schema.ts'
import { checker } from './check.ts'
import { endpointSchema } from './network.ts'

/** Docker takes a lone string for a list of one. */
const words = nullable({ anyOf: [string, { type: 'array', items: string, maxItems: 100_000 }] })

const health = nullable(
  object({
    Test: list(string),
    Interval: integer,
    Timeout: integer,
    Retries: integer,
    StartPeriod: integer,
    StartInterval: integer,
  }),
)

const hostConfig = nullable(
  object({
    Binds: list(string),
    Mounts: list(
      object(
        {
          Type: string,
          Source: nullable(string),
          Target: string,
          ReadOnly: boolean,
          BindOptions: nullable(
            object({ Propagation: string, NonRecursive: boolean, CreateMountpoint: boolean }),
          ),
          VolumeOptions: nullable(
            object({
              NoCopy: boolean,
              Labels: map(string),
              DriverConfig: nullable(object({ Name: string, Options: map(string) })),
              Subpath: string,
            }),
          ),
          TmpfsOptions: nullable(object({ SizeBytes: integer, Mode: integer })),
        },
        ['Target'],
      ),
    ),
    Tmpfs: map(string),
    LogConfig: nullable(object({ Type: string, Config: map(string) })),
    NetworkMode: string,
    PortBindings: map(list(object({ HostIp: string, HostPort: string }))),
    PublishAllPorts: boolean,
    RestartPolicy: nullable(object({ Name: string, MaximumRetryCount: integer })),
    AutoRemove: boolean,
    CapAdd: list(string),
    CapDrop: list(string),
    CgroupnsMode: string,
    Dns: list(string),
    DnsOptions: list(string),
    DnsSearch: list(string),
    ExtraHosts: list(string),
    GroupAdd: list(string),
    IpcMode: string,
    PidMode: string,
    UTSMode: string,
    UsernsMode: string,
    OomScoreAdj: { type: 'integer', minimum: -1000, maximum: 1000 },
    Privileged: boolean,
    ReadonlyRootfs: boolean,
    SecurityOpt: list(string),
    ShmSize: { type: 'integer', minimum: 0, maximum: 2 ** 53 },
    Sysctls: map(string),
    Runtime: string,
    Devices: list(
      object({ PathOnHost: string, PathInContainer: string, CgroupPermissions: string }, ['PathOnHost']),
    ),
    Ulimits: list(object({ Name: string, Soft: integer, Hard: integer }, ['Name'])),
    CpuShares: integer,
    Memory: integer,
    MemoryReservation: integer,
    MemorySwap: integer,
    MemorySwappiness: nullable(integer),
    OomKillDisable: nullable(boolean),
    NanoCpus: integer,
    CpuPeriod: integer,
    CpuQuota: integer,
    CpusetCpus: string,
    CpusetMems: string,
    PidsLimit: nullable(integer),
    ConsoleSize: nullable({
      type: 'array',
      items: { type: 'integer', minimum: 0, maximum: 65535 },
      minItems: 2,
      maxItems: 2,
    }),
    MaskedPaths: list(string),
    ReadonlyPaths: list(string),
    Init: nullable(boolean),
  }),
)

const createSchema = object(
  {
    Image: { type: 'string', minLength: 1 },
    Hostname: string,
    Domainname: string,
    User: string,
    AttachStdin: boolean,
    AttachStdout: boolean,
    AttachStderr: boolean,
    ExposedPorts: map({ type: 'object' }),
    Tty: boolean,
    OpenStdin: boolean,
    StdinOnce: boolean,
    Env: list({ type: 'string', minLength: 1 }),
    Cmd: words,
    Entrypoint: words,
    Healthcheck: health,
    Volumes: map(nullable({ type: 'object' })),
    WorkingDir: string,
    Labels: map(string),
    StopSignal: string,
    StopTimeout: nullable(integer),
    Shell: list(string),
    HostConfig: hostConfig,
    NetworkingConfig: nullable(object({ EndpointsConfig: map(endpointSchema) })),
  },
  ['Image'],
)

const execSchema = object({
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  DetachKeys: string,
  Tty: boolean,
  Env: list({ type: 'string', minLength: 1 }),
  Cmd: words,
  Privileged: boolean,
  User: string,
  WorkingDir: string,
  ConsoleSize: nullable({
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: 65535 },
    minItems: 2,
    maxItems: 2,
  }),
})

/** @throws E_BODY_FIELD with the field and what is wrong with it */
export const checkCreate = checker(createSchema)
/** @throws E_BODY_FIELD */
export const checkExec = checker(execSchema)

/** "sh" -> ["sh"] */
export function wordList(value: unknown): string[] | undefined {
  return typeof value === 'string' ? [value] : ((value as string[] | null | undefined) ?? undefined)
}
