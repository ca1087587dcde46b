/**
 * Stored objects -> what the API shows.
 */
import { tlsInfo } from '../ca/authority.ts'
import { joinToken } from '../ca/token.ts'
import { modeOf } from '../orchestrators/service.ts'
import { currency } from '../orchestrators/slots.ts'
import type { Cluster, Secrets } from '../store/objects/cluster.ts'
import type { Network } from '../store/objects/network.ts'
import type { Node } from '../store/objects/node.ts'
import type { Service } from '../store/objects/service.ts'
import { compareStates, slotKey, type Task, type TaskState } from '../store/objects/task.ts'
import type { View } from '../store/replica.ts'

export function presentCluster(cluster: Cluster) {
  const {
    ClusterID,
    Version,
    CreatedAt,
    UpdatedAt,
    Spec,
    RootCert,
    DataPathPort,
    DefaultAddrPool,
    SubnetSize,
  } = cluster
  return {
    ID: ClusterID,
    Version,
    CreatedAt,
    UpdatedAt,
    Spec,
    TLSInfo: tlsInfo(RootCert),
    RootRotationInProgress: false,
    DataPathPort,
    DefaultAddrPool,
    SubnetSize,
  }
}

/** With the tokens: for managers' users only. */
export function presentSwarm(cluster: Cluster, secrets: Secrets) {
  return {
    ...presentCluster(cluster),
    JoinTokens: {
      Worker: joinToken(cluster.RootCert, secrets.WorkerToken),
      Manager: joinToken(cluster.RootCert, secrets.ManagerToken),
    },
  }
}

export function presentNode({
  ID,
  Version,
  CreatedAt,
  UpdatedAt,
  Spec,
  Description,
  Status,
  ManagerStatus,
}: Node) {
  return {
    ID,
    Version,
    CreatedAt,
    UpdatedAt,
    Spec,
    Description: Description ?? { Platform: {}, Resources: {}, Engine: {}, TLSInfo: {} },
    Status,
    ...(ManagerStatus && { ManagerStatus }),
  }
}

export function presentService(view: View, service: Service, withStatus: boolean) {
  const { TemplateID: _, ...shown } = service
  return { ...shown, ...(withStatus && { ServiceStatus: serviceStatus(view, service) }) }
}

/** What "docker service ls" shows as 2/3. */
function serviceStatus(view: View, service: Service) {
  const tasks = [...view.tasksOf(service.ID)]
  const wanted = tasks.filter((task) => compareStates(shownDesire(view, task), 'running') <= 0)
  const isCounted = (task: Task) => task.Status.State === 'running' && !isLost(view, task)
  const replicas = service.Spec.Mode.Replicated?.Replicas ?? 0
  return {
    RunningTasks: wanted.filter(isCounted).length,
    DesiredTasks: modeOf(service) === 'global' ? new Set(wanted.map(slotKey)).size : replicas,
    CompletedTasks: tasks.filter((task) => task.Status.State === 'complete').length,
  }
}

export function presentTask(view: View, task: Task) {
  const template = view.get('template', task.TemplateID)
  const { RunningAt: _, ...Status } = task.Status
  return {
    ID: task.ID,
    Version: task.Version,
    CreatedAt: task.CreatedAt,
    UpdatedAt: task.UpdatedAt,
    Labels: task.Labels ?? {},
    Spec: template?.Spec ?? {},
    ServiceID: task.ServiceID,
    ...(task.Slot > 0 && { Slot: task.Slot }),
    ...(task.NodeID !== '' && { NodeID: task.NodeID }),
    Status: { ...Status, PortStatus: Status.PortStatus ?? {} },
    DesiredState: shownDesire(view, task),
    ...(task.Attachments && {
      NetworksAttachments: task.Attachments.flatMap(({ NetworkID, Address }) => {
        const network = view.get('network', NetworkID)
        return network ? [{ Network: attachedNetwork(network), Addresses: [Address] }] : []
      }),
    }),
  }
}

/**
 * A task on a silent node stays wanted, in case the node comes back; where another one took its place, users
 * and Docker's progress bars should see only that one as wanted.
 */
function shownDesire(view: View, task: Task): TaskState {
  if (task.DesiredState !== 'running' || !isLost(view, task)) return task.DesiredState
  for (const other of view.tasksOf(task.ServiceID)) {
    const isWanted = compareStates(other.DesiredState, 'running') <= 0
    if (other !== task && isWanted && slotKey(other) === slotKey(task) && !isLost(view, other))
      return 'shutdown'
  }
  return task.DesiredState
}

function isLost(view: View, task: Task): boolean {
  return task.NodeID !== '' && view.get('node', task.NodeID)?.Status.State === 'down'
}

/** For the filter _up-to-date: whether the task runs what its service wants now. */
export function isCurrent(view: View, task: Task): boolean {
  const service = view.get('service', task.ServiceID)
  return service !== undefined && currency(view, service)(task, view.get('node', task.NodeID))
}

const vxlanOption = 'com.docker.network.driver.overlay.vxlanid_list'

export function presentNetwork(network: Network) {
  return {
    Name: network.Name,
    Id: network.ID,
    Created: network.CreatedAt,
    Scope: 'swarm',
    Driver: network.Driver,
    EnableIPv4: true,
    EnableIPv6: network.EnableIPv6,
    IPAM: { Driver: 'default', Options: network.IpamOptions ?? null, Config: [ipamConfig(network)] },
    Internal: network.Internal,
    Attachable: network.Attachable,
    Ingress: network.Ingress,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: null,
    Options: { [vxlanOption]: `${network.Vni}`, ...network.Options },
    Labels: network.Labels,
  }
}

/** A network that each host has for itself, as far as services see it. */
export function presentHostNetwork(name: string) {
  return {
    Name: name,
    Id: name,
    Created: '0001-01-01T00:00:00Z',
    Scope: 'swarm',
    Driver: name,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: null,
    Options: null,
    Labels: null,
  }
}

function ipamConfig({ IPAM }: Network) {
  return { Subnet: IPAM.Subnet, ...(IPAM.IPRange && { IPRange: IPAM.IPRange }), Gateway: IPAM.Gateway }
}

function attachedNetwork(network: Network) {
  return {
    ID: network.ID,
    Version: network.Version,
    CreatedAt: network.CreatedAt,
    UpdatedAt: network.UpdatedAt,
    Spec: {
      Name: network.Name,
      Labels: network.Labels,
      DriverConfiguration: { Name: network.Driver },
      ...(network.Ingress && { Ingress: true }),
      IPAMOptions: { Driver: { Name: 'default' } },
      Scope: 'swarm',
    },
    DriverState: { Name: network.Driver, Options: { [vxlanOption]: `${network.Vni}` } },
    IPAMOptions: { Driver: { Name: 'default' }, Configs: [ipamConfig(network)] },
  }
}
