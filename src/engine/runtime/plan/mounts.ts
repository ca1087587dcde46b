/**
 * The mounts of config.json, in its order. File systems are mounted on the descriptor of their destination
 * (fchdir, then mount on "."); binds are cloned detached, given their attributes, and moved in, so that
 * nothing is ever visible with the wrong ones.
 */
import { statSync } from 'node:fs'
import { fail } from '../errors.ts'
import type { Mount, Spec } from '../spec.ts'
import { attach, cloneTree, mountHere } from './attach.ts'
import { planCgroupMount } from './cgroup-mount.ts'
import type { PlanContext } from './context.ts'
import { type MountOptions, parseMountOptions } from './mount-options.ts'
import { openDestination, openInRoot } from './paths.ts'

export function planMounts(context: PlanContext, root: number, spec: Spec): void {
  for (const [i, mount] of (spec.mounts ?? []).entries()) {
    if (!mount.destination?.startsWith('/')) {
      throw fail('E_SPEC', { field: `mounts[${i}].destination`, problem: 'must be an absolute path' })
    }
    const options = parseMountOptions(mount.options)
    if (options.copyUp)
      throw fail('E_SPEC', { field: `mounts[${i}].options`, problem: 'tmpcopyup is not supported' })
    if (options.bind || mount.type === 'bind') planBind(context, root, mount, options, i)
    else if (mount.type === 'cgroup' || mount.type === 'cgroup2')
      planCgroupMount(context, root, mount, options, spec)
    else planFileSystem(context, root, mount, options)
  }
}

function planFileSystem(context: PlanContext, root: number, mount: Mount, options: MountOptions): void {
  const { tape } = context
  const at = openDestination(tape, root, mount.destination, 'directory')
  mountHere(context, at, mount.destination, mount.type ?? 'none', mount.source, options.flags, options.data)
  tape.close(at)
  propagate(context, root, mount.destination, options)
}

function planBind(
  context: PlanContext,
  root: number,
  mount: Mount,
  options: MountOptions,
  index: number,
): void {
  const { tape } = context
  if (!mount.source) throw fail('E_SPEC', { field: `mounts[${index}].source`, problem: 'a bind needs one' })
  const clone = cloneTree(context, mount.source, options.recursive || !options.bind)
  const at = openDestination(tape, root, mount.destination, isDirectory(mount.source) ? 'directory' : 'file')
  attach(context, clone, at, mount.destination, options)
  tape.close(at)
  tape.close(clone)
  propagate(context, root, mount.destination, options)
}

function propagate({ tape }: PlanContext, root: number, destination: string, options: MountOptions): void {
  for (const flag of options.propagation) {
    const at = openInRoot(tape, root, destination)
    tape.call(`set the propagation of ${destination}`, 'mount', [
      0,
      tape.string(`/proc/self/fd/${at}`),
      0,
      flag,
      0,
    ])
    tape.close(at)
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    // The tape will say it properly: "open PATH: ENOENT".
    return true
  }
}
