/**
 * A Compose file -> what a stack is in a swarm: networks and services, named and labelled as `docker stack
 * deploy` does, so that both tools see the same stacks.
 */
import { fail } from '../errors.ts'
import type { Labels } from '../store/objects/meta.ts'
import type { ServiceSpec } from '../store/objects/service.ts'
import type { NetworkTarget } from '../store/objects/task-spec.ts'
import { readContainer } from './container-keys.ts'
import { defined, readMode, readPlacement, readResources, readRestart, readUpdate } from './deploy-keys.ts'
import type { ComposeContent } from './load.ts'
import { imageLabel, Names, textsOf } from './names.ts'
import { PublishedPorts, readPorts } from './ports.ts'
import { Reader } from './reader.ts'

export interface StackNetwork {
  Name: string
  Driver: string
  Labels: Labels
  Options: Record<string, string>
  Internal: boolean
  Attachable: boolean
  IPAM?: { Config: { Subnet?: string; Gateway?: string; IPRange?: string }[] }
}

export interface Stack {
  name: string
  networks: StackNetwork[]
  /** Networks that must be there already. */
  externalNetworks: string[]
  /** Network targets are names. */
  services: ServiceSpec[]
  /** One line each: what was not done as written, and where it stands. */
  warnings: string[]
}

/** Keys that mean nothing for a service in a swarm. */
const ignoredKeys = [
  'attach',
  'build',
  'blkio_config',
  'cgroup',
  'cgroup_parent',
  'container_name',
  'cpu_count',
  'cpu_percent',
  'cpu_period',
  'cpu_quota',
  'cpu_rt_period',
  'cpu_rt_runtime',
  'cpu_shares',
  'cpuset',
  'develop',
  'device_cgroup_rules',
  'devices',
  'domainname',
  'expose',
  'external_links',
  'gpus',
  'ipc',
  'links',
  'mac_address',
  'mem_swappiness',
  'memswap_limit',
  'oom_kill_disable',
  'pid',
  'platform',
  'post_start',
  'pre_stop',
  'privileged',
  'pull_policy',
  'pull_refresh_after',
  'runtime',
  'security_opt',
  'shm_size',
  'storage_opt',
  'userns_mode',
  'uts',
  'volumes_from',
  'annotations',
  'label_file',
  'use_api_socket',
  'credential_spec',
  'models',
  'provider',
]
/** Keys without which the service would not be what the file says. */
const refusedKeys = ['secrets', 'configs', 'extends']

/** @throws E_COMPOSE_INVALID, E_STACK_NAME */
export async function readStack(name: string, compose: ComposeContent): Promise<Stack> {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(name)) throw fail('E_STACK_NAME', { name })
  const file = new Reader(compose)
  if (file.at('include').isThere) throw file.at('include').invalid('include is not supported yet')
  const names = new Names(name, file)
  const used = new Set<string>()
  const published = new PublishedPorts()
  const services: ServiceSpec[] = []
  for (const key of file.at('services').keys()) {
    const service = file.at('services').at(key)
    if (service.at('profiles').isThere) continue
    services.push(await readService(key, service, { names, used, published }))
  }
  const networks = [...used].map((key) => ({ key, ...names.network(key)! }))
  return {
    name,
    networks: networks
      .filter(({ isExternal }) => !isExternal)
      .map((network) => readNetwork(network.name, file.at('networks').at(network.key), names)),
    externalNetworks: networks.filter(({ isExternal }) => isExternal).map((network) => network.name),
    services,
    warnings: compose.warnings,
  }
}

/** What the services of a file have in common. */
interface Shared {
  names: Names
  /** Networks that some service is on. */
  used: Set<string>
  published: PublishedPorts
}

async function readService(
  key: string,
  service: Reader,
  { names, used, published }: Shared,
): Promise<ServiceSpec> {
  for (const ignored of ignoredKeys) {
    if (service.at(ignored).isThere)
      service.at(ignored).warn('means nothing for a service of a swarm and is left out')
  }
  for (const refused of refusedKeys) {
    if (service.at(refused).isThere) throw service.at(refused).invalid(`${refused} is not supported yet`)
  }
  const deploy = service.at('deploy')
  const container = await readContainer(service, names)
  const endpointMode = deploy.at('endpoint_mode').oneOf(['vip', 'dnsrr'] as const) ?? 'vip'
  const Ports = readPorts(key, service.at('ports'), endpointMode, published)
  const Networks = readNetworks(key, service, names, used)
  const driver = service.at('logging').at('driver').text()
  return {
    Name: names.scoped(key),
    Labels: { ...names.labels(textsOf(deploy.at('labels').pairs())), [imageLabel]: container.Image },
    TaskTemplate: {
      ContainerSpec: container,
      ...defined({
        Resources: readResources(service),
        RestartPolicy: readRestart(service),
        Placement: readPlacement(service),
        LogDriver: driver
          ? { Name: driver, Options: textsOf(service.at('logging').at('options').pairs()) }
          : undefined,
      }),
      Networks,
    },
    Mode: readMode(service),
    ...defined({
      UpdateConfig: readUpdate(deploy.at('update_config')),
      RollbackConfig: readUpdate(deploy.at('rollback_config')),
    }),
    EndpointSpec: {
      Mode: endpointMode,
      ...(Ports.length > 0 && { Ports }),
    },
  }
}

/** The service's own name is an alias on each of its networks: others call it that, not STACK_NAME. */
function readNetworks(key: string, service: Reader, names: Names, used: Set<string>): NetworkTarget[] {
  const mode = service.at('network_mode').text()
  if (mode === 'host' || mode === 'none') return [{ Target: mode }]
  if (mode !== undefined)
    service.at('network_mode').warn('means nothing for a service of a swarm and is left out')
  const networks = service.at('networks')
  const keys = networks.isMap ? networks.keys() : (networks.texts() ?? [])
  return (keys.length > 0 ? keys : ['default']).map((network) => {
    const named = names.network(network)
    if (!named) throw networks.invalid(`network '${network}' is not among the file's networks`)
    used.add(network)
    const options = networks.isMap ? networks.at(network) : undefined
    for (const address of ['ipv4_address', 'ipv6_address']) {
      if (options?.at(address).isThere) options.at(address).warn('tasks get their addresses from the swarm')
    }
    const driverOpts = options ? textsOf(options.at('driver_opts').pairs()) : {}
    return {
      Target: named.name,
      Aliases: [key, ...(options?.at('aliases').texts() ?? [])],
      ...(Object.keys(driverOpts).length > 0 && { DriverOpts: driverOpts }),
    }
  })
}

function readNetwork(name: string, network: Reader, names: Names): StackNetwork {
  const configs = network.at('ipam').at('config').items()
  return {
    Name: name,
    Driver: network.at('driver').text() ?? 'overlay',
    Labels: names.labels(textsOf(network.at('labels').pairs())),
    Options: textsOf(network.at('driver_opts').pairs()),
    Internal: network.at('internal').flag() ?? false,
    Attachable: network.at('attachable').flag() ?? false,
    ...(configs.length > 0 && {
      IPAM: {
        Config: configs.map((config) => ({
          ...defined({
            Subnet: config.at('subnet').text(),
            Gateway: config.at('gateway').text(),
            IPRange: config.at('ip_range').text(),
          }),
        })),
      },
    }),
  }
}
