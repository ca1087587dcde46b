/**
 * The container's own cgroups under /sys/fs/cgroup, read-only unless asked otherwise. With a cgroup namespace
 * they are mounted anew; without one, the container's folder of the host's mount is bound.
 */
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import type { CgroupTree } from '../cgroups/hierarchy.ts'
import type { Mount, Spec } from '../spec.ts'
import { attach, cloneTree, mountHere } from './attach.ts'
import type { PlanContext } from './context.ts'
import type { MountOptions } from './mount-options.ts'
import { openDestination, openInRoot } from './paths.ts'

export function planCgroupMount(
  context: PlanContext,
  root: number,
  mount: Mount,
  options: MountOptions,
  spec: Spec,
): void {
  const own = spec.linux?.namespaces?.some((n) => n.type === 'cgroup') ?? false
  const path = (spec.linux?.cgroupsPath ?? '').replace(/^\/+/, '')
  if (context.features.cgroups.version === 1) {
    planV1(context, root, mount.destination, options, own, path)
    return
  }
  const { tape } = context
  const at = openDestination(tape, root, mount.destination, 'directory')
  if (own) {
    mountHere(context, at, mount.destination, 'cgroup2', 'cgroup', options.flags, '')
  } else {
    const clone = cloneTree(context, `${context.features.cgroups.trees[0]!.mountPoint}/${path}`, true)
    attach(context, clone, at, mount.destination, options)
    tape.close(clone)
  }
  tape.close(at)
}

/** A small tmpfs with one folder a controller. */
function planV1(
  context: PlanContext,
  root: number,
  destination: string,
  options: MountOptions,
  own: boolean,
  path: string,
): void {
  const { tape } = context
  const at = openDestination(tape, root, destination, 'directory')
  mountHere(context, at, destination, 'tmpfs', 'tmpfs', options.flags & ~c.MS_RDONLY, 'mode=755')
  tape.close(at)
  const folder = openInRoot(tape, root, destination)
  for (const tree of context.features.cgroups.trees) {
    const name = tree.mountPoint.slice(tree.mountPoint.lastIndexOf('/') + 1)
    tape.call(`create ${destination}/${name}`, 'mkdirat', [folder, tape.string(name), 0o755])
    if (own) mountController(context, folder, destination, name, tree, options)
    else
      bindController(context, folder, `${destination}/${name}`, name, `${tree.mountPoint}/${path}`, options)
    for (const link of name.includes(',') ? tree.controllers : []) {
      tape.call(`link ${destination}/${link}`, 'symlinkat', [tape.string(name), folder, tape.string(link)], {
        tolerate: { errno: errnos.EEXIST },
      })
    }
  }
  if (options.flags & c.MS_RDONLY) {
    tape.call(`enter ${destination}`, 'fchdir', [folder])
    tape.call(`make ${destination} read-only`, 'mount', [
      0,
      tape.string('.'),
      0,
      c.MS_REMOUNT | c.MS_BIND | options.flags,
      0,
    ])
  }
  tape.close(folder)
}

function mountController(
  { tape }: PlanContext,
  folder: number,
  destination: string,
  name: string,
  tree: CgroupTree,
  options: MountOptions,
): void {
  tape.call(`enter ${destination}`, 'fchdir', [folder])
  tape.call(`mount cgroup on ${destination}/${name}`, 'mount', [
    tape.string('cgroup'),
    tape.string(name),
    tape.string('cgroup'),
    options.flags,
    tape.string(tree.controllers.join(',')),
  ])
}

function bindController(
  context: PlanContext,
  folder: number,
  where: string,
  name: string,
  source: string,
  options: MountOptions,
): void {
  const { tape } = context
  const clone = cloneTree(context, source, true)
  const to = openInRoot(tape, folder, name)
  attach(context, clone, to, where, options)
  tape.close(to)
  tape.close(clone)
}
