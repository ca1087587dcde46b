/** Which namespaces a container does not share with the host. */
import * as c from '../kernel/constants.ts'
import type { NamespaceType } from '../runtime/spec.ts'
import type { ContainerRecord } from './record.ts'
import type { HostConfig } from './types.ts'

/** A cgroup namespace of its own: Docker's default on v2; here on v1 too, so that the host's tree is not seen. */
function hasOwnCgroup(hostConfig: HostConfig): boolean {
  return (hostConfig.CgroupnsMode || (hostConfig.Privileged ? 'host' : 'private')) === 'private'
}

export function ownNamespaces(record: Pick<ContainerRecord, 'hostConfig'>): NamespaceType[] {
  const { hostConfig } = record
  const list: NamespaceType[] = ['mount']
  if (hostConfig.NetworkMode !== 'host') list.push('network')
  if (hostConfig.UTSMode !== 'host') list.push('uts')
  if (hostConfig.PidMode !== 'host') list.push('pid')
  if (hostConfig.IpcMode !== 'host') list.push('ipc')
  if (hasOwnCgroup(hostConfig)) list.push('cgroup')
  return list
}

const flags: Partial<Record<NamespaceType, number>> = {
  mount: c.CLONE_NEWNS,
  network: c.CLONE_NEWNET,
  uts: c.CLONE_NEWUTS,
  pid: c.CLONE_NEWPID,
  ipc: c.CLONE_NEWIPC,
  cgroup: c.CLONE_NEWCGROUP,
}

/** CLONE_NEW* of the namespaces that a process entering the container must join. */
export function namespaceFlagsOf(record: Pick<ContainerRecord, 'hostConfig'>): number {
  return ownNamespaces(record).reduce((bits, type) => bits | (flags[type] ?? 0), 0) >>> 0
}
