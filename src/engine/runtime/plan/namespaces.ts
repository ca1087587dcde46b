/** Which namespaces are new and which are joined (config-linux.md, "Namespaces"). */
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import { fail } from '../errors.ts'
import type { NamespaceType, Spec } from '../spec.ts'
import type { PlanContext } from './context.ts'

const flags: Record<NamespaceType, number> = {
  mount: c.CLONE_NEWNS,
  pid: c.CLONE_NEWPID,
  network: c.CLONE_NEWNET,
  ipc: c.CLONE_NEWIPC,
  uts: c.CLONE_NEWUTS,
  user: c.CLONE_NEWUSER,
  cgroup: c.CLONE_NEWCGROUP,
  time: c.CLONE_NEWTIME,
}

export interface Namespaces {
  /** Made by clone3; all but the cgroup namespace, which must wait until the container is in its cgroup. */
  cloneFlags: number
  ownCgroup: boolean
  ownNetwork: boolean
  ownUts: boolean
  /** Joined by path, in the order in which it must be done. */
  joined: { type: NamespaceType; path: string; flag: number }[]
}

/** @throws E_SPEC for a namespace that is unknown, doubled, or not supported */
export function namespacesOf(spec: Spec): Namespaces {
  const list = spec.linux?.namespaces ?? []
  const seen = new Set<string>()
  for (const { type } of list) {
    if (flags[type] === undefined)
      throw fail('E_SPEC', { field: 'linux.namespaces', problem: `unknown type ${type}` })
    if (seen.has(type)) throw fail('E_SPEC', { field: 'linux.namespaces', problem: `${type} is there twice` })
    if (type === 'user' || type === 'time') {
      throw fail('E_SPEC', { field: 'linux.namespaces', problem: `${type} namespaces are not supported` })
    }
    seen.add(type)
  }
  if (!seen.has('mount'))
    throw fail('E_SPEC', { field: 'linux.namespaces', problem: 'a mount namespace is needed' })
  const own = list.filter((n) => !n.path)
  const isOwn = (type: NamespaceType) => own.some((n) => n.type === type)
  const cloneFlags = own.filter((n) => n.type !== 'cgroup').reduce((sum, n) => sum | flags[n.type], 0)
  const joined = list
    .filter((n) => n.path)
    .map((n) => ({ type: n.type, path: n.path!, flag: flags[n.type] }))
    // Joining a mount namespace changes what every later path means, so it comes last.
    .sort((a, b) => Number(a.type === 'mount') - Number(b.type === 'mount'))
  return {
    cloneFlags: cloneFlags >>> 0,
    ownCgroup: isOwn('cgroup'),
    ownNetwork: isOwn('network'),
    ownUts: isOwn('uts'),
    joined,
  }
}

/** Joins namespaces by path. A PID namespace counts for children only, so the keeper joins it before it clones. */
export function planJoin({ tape }: PlanContext, joined: Namespaces['joined']): void {
  for (const { type, path, flag } of joined) {
    const fd = tape.callFd(`open the ${type} namespace ${path}`, 'openat', [
      c.AT_FDCWD,
      tape.string(path),
      c.O_RDONLY | c.O_CLOEXEC,
      0,
    ])
    tape.call(`join the ${type} namespace ${path}`, 'setns', [fd, flag])
    tape.close(fd)
  }
}

/** Host name, domain name, and loopback up: what a new UTS or network namespace needs. */
export function planIdentityOfHost({ tape }: PlanContext, spec: Spec, namespaces: Namespaces): void {
  for (const [what, call, name] of [
    ['set the host name', 'sethostname', spec.hostname],
    ['set the domain name', 'setdomainname', spec.domainname],
  ] as const) {
    if (!name) continue
    if (!namespaces.ownUts && !namespaces.joined.some((j) => j.type === 'uts')) {
      throw fail('E_SPEC', { field: 'hostname', problem: 'would rename the host: it needs a uts namespace' })
    }
    tape.call(what, call, [tape.string(name), Buffer.byteLength(name)])
  }
  if (namespaces.ownNetwork) raiseLoopback({ tape })
}

const AF_INET = 2
const SOCK_DGRAM = 2
const IFF_UP = 1
const IFF_RUNNING = 0x40

function raiseLoopback({ tape }: Pick<PlanContext, 'tape'>): void {
  const request = Buffer.alloc(40) // struct ifreq
  request.write('lo', 0)
  request.writeUInt16LE(IFF_UP | IFF_RUNNING, 16)
  const socket = tape.callFd('open a socket', 'socket', [AF_INET, SOCK_DGRAM | c.O_CLOEXEC, 0])
  tape.call('raise the loopback device', 'ioctl', [socket, c.SIOCSIFFLAGS, tape.bytes(request)])
  tape.close(socket)
}

/** A session keyring of its own, so that the host's keys can't be reached. Kernels without keyrings have none. */
export function planKeyring({ tape }: PlanContext, name: string): void {
  tape.call(
    'start a session keyring',
    'keyctl',
    [c.KEYCTL_JOIN_SESSION_KEYRING, tape.string(name), 0, 0, 0],
    {
      tolerate: { errno: errnos.ENOSYS },
    },
  )
}
