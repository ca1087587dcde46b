/**
 * What the verbs of this folder work with. Images, volumes and networks are known only by these narrow
 * interfaces; the daemon's root fills them in.
 */
import type { Logger } from 'pino'
import type { Poll } from '../kernel/poll.ts'
import type { Inherited } from '../runtime/cgroups/tree.ts'
import type { ExitStatus } from '../runtime/exit-record.ts'
import type { Features } from '../runtime/plan/context.ts'
import type { Container } from './container.ts'
import type { FilterCache } from './filters.ts'
import type { ContainerTable } from './table.ts'
import type { EndpointRequest, HealthConfig, HostConfig, PortBinding } from './types.ts'

export interface ContainerContext {
  /** Eight hex digits that tell this engine's kernel objects from another's. */
  engineId: string
  features: Features
  poll: Poll
  log: Logger
  table: ContainerTable
  images: ContainerImages
  volumes: ContainerVolumes
  networks: ContainerNetworks
  events: ContainerEvents
  cgroup: { parent: string; inherited: Inherited }
  /** An empty folder that containers mount their root on, each in its own mount namespace. */
  mountPoint: string
  /** Hard limit of open files that containers inherit. */
  openFiles: number
  filters: FilterCache
  /** What goes along with a run: its health checks. Called when it has begun, or was adopted. */
  onRun: (container: Container) => void
  /** What follows a run's end; called once a run. */
  onExit: (container: Container, status: ExitStatus) => void
  /** False once the daemon is going down: then nothing is restarted. */
  accepting: () => boolean
}

/** Where a container's limits are, in every tree. */
export function cgroupPathOf(context: Pick<ContainerContext, 'cgroup'>, id: string): string {
  return `${context.cgroup.parent}/${id}`
}

/** The parts of an image's configuration that a container inherits. */
export interface ImageConfig {
  User?: string
  ExposedPorts?: Record<string, object> | null
  Env?: string[] | null
  Entrypoint?: string[] | null
  Cmd?: string[] | null
  Volumes?: Record<string, object> | null
  WorkingDir?: string
  Labels?: Record<string, string> | null
  StopSignal?: string
  Healthcheck?: HealthConfig | null
  Shell?: string[] | null
  OnBuild?: string[] | null
}

export interface UserIdentity {
  uid: number
  gid: number
  groups: number[]
  home: string
}

export interface ContainerImages {
  /** @throws E_NO_SUCH_IMAGE (404) */
  resolve(reference: string): {
    id: string
    config: ImageConfig
    layers: string[]
    platform: { os: string; architecture: string }
  }
  /** Folder that the layers' relative paths start at. */
  readonly layersFolder: string
  /**
   * Resolves Docker's "user[:group]" by the root's own passwd and group.
   * @param folders highest first, absolute
   * @throws a failure that names the missing user or group
   */
  identity(user: string, extraGroups: string[], folders: string[]): Promise<UserIdentity>
}

export interface ContainerVolumes {
  /** Makes the volume where it is missing. @returns where its files are */
  ensure(request: VolumeRequest): Promise<{ name: string; path: string; driver: string }>
  /** Fills a new volume from what the image has at the path. */
  populate(name: string, layers: string[], path: string): Promise<void>
  removeAnonymous(name: string): Promise<void>
}

export interface VolumeRequest {
  /** Made up when left out: an anonymous volume. */
  name?: string
  driver?: string
  options?: Record<string, string>
  labels?: Record<string, string>
}

export interface NetworkRequest {
  id: string
  name: string
  hostname: string
  domainname: string
  networkMode: string
  endpoints: Record<string, EndpointRequest>
  ports: Record<string, PortBinding[]>
  exposedPorts: Record<string, object>
  publishAll: boolean
  dns: Pick<HostConfig, 'Dns' | 'DnsOptions' | 'DnsSearch' | 'ExtraHosts'>
}

export interface NetworkSetup {
  /**
   * Where the container's network is: a namespace whose descriptor stays the network's, an empty one that the
   * runtime makes, or the host's.
   */
  namespace: { kind: 'join'; fd: number } | { kind: 'own' } | { kind: 'host' }
  /** Contents of the files that Docker manages in a container. */
  hosts: string
  resolvConf: string
}

/** NetworkSettings of the API, less what is the same for all. */
export interface NetworkView {
  Ports: Record<string, PortBinding[] | null>
  Networks: Record<string, { NetworkID?: string }>
}

export interface ContainerNetworks {
  /** Checks a request at create. @throws what names the field that is wrong */
  validate(request: NetworkRequest): void
  /** Before a start. On failure nothing of it is left. */
  attach(request: NetworkRequest): NetworkSetup
  /** After the end. Does nothing where nothing is attached. */
  detach(id: string): void
  /** A container that runs since before this daemon's start. */
  adopt(id: string, pid: number): void
  rename(id: string, name: string): void
  view(request: NetworkRequest): NetworkView
}

export interface ContainerEvents {
  /** Type "container"; attributes are added from the container itself. */
  container(action: string, id: string, attributes: Record<string, string>): void
}
