/** Device files and the links that every program expects in /dev (config-linux.md, "Default Devices"). */
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import { fail } from '../errors.ts'
import type { Device, Spec } from '../spec.ts'
import type { PlanContext } from './context.ts'
import { openDestination, openInRoot } from './paths.ts'

const standard: Device[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
].map(([name, major, minor]) => ({
  type: 'c' as const,
  path: `/dev/${name}`,
  major: major as number,
  minor: minor as number,
  fileMode: 0o666,
}))

const links: [name: string, target: string][] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
]

/** Devices and links are made where /dev is the container's own; a /dev bound from the host stays as it is. */
export function planDevices(context: PlanContext, root: number, spec: Spec): void {
  const { tape } = context
  const dev = (spec.mounts ?? []).find((m) => m.destination.replace(/\/+$/, '') === '/dev')
  if (dev?.type === 'bind' || dev?.options?.some((o) => o === 'bind' || o === 'rbind')) return
  const asked = spec.linux?.devices ?? []
  const devices = [...standard.filter((s) => !asked.some((a) => a.path === s.path)), ...asked]
  const folder = openDestination(tape, root, '/dev', 'directory')
  const tolerate = { errno: errnos.EEXIST }
  for (const device of devices) {
    const name = /^\/dev\/([^/]+)$/.exec(device.path)?.[1]
    if (name) makeNode(context, folder, name, device)
    else makeNodeDeep(context, root, device)
  }
  for (const [name, target] of links) {
    tape.call(`link /dev/${name}`, 'symlinkat', [tape.string(target), folder, tape.string(name)], {
      tolerate,
    })
  }
  tape.close(folder)
}

function makeNodeDeep(context: PlanContext, root: number, device: Device): void {
  const { tape } = context
  const slash = device.path.lastIndexOf('/')
  if (!device.path.startsWith('/') || slash === device.path.length - 1) {
    throw fail('E_SPEC', {
      field: 'linux.devices.path',
      problem: `${device.path} is no absolute path of a file`,
    })
  }
  const parent = device.path.slice(0, slash) || '/'
  const folder =
    parent === '/' ? openInRoot(tape, root, '/') : openDestination(tape, root, parent, 'directory')
  makeNode(context, folder, device.path.slice(slash + 1), device)
  tape.close(folder)
}

const kinds = { c: c.S_IFCHR, u: c.S_IFCHR, b: c.S_IFBLK, p: c.S_IFIFO }

function makeNode({ tape }: PlanContext, folder: number, name: string, device: Device): void {
  const kind = kinds[device.type]
  if (kind === undefined) {
    throw fail('E_SPEC', { field: 'linux.devices.type', problem: `${device.type} is none of c, u, b, p` })
  }
  const mode = kind | ((device.fileMode ?? 0o666) & 0o7777)
  const number = device.type === 'p' ? 0 : makedev(device.major ?? 0, device.minor ?? 0)
  tape.call(`create ${device.path}`, 'mknodat', [folder, tape.string(name), mode, number], {
    tolerate: { errno: errnos.EEXIST },
  })
  if (device.uid || device.gid) {
    tape.call(`give ${device.path} to its owner`, 'fchownat', [
      folder,
      tape.string(name),
      device.uid ?? 0,
      device.gid ?? 0,
      c.AT_SYMLINK_NOFOLLOW,
    ])
  }
}

/** makedev(3), in the 32-bit form that mknod(2) takes. */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0
}
