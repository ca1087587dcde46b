/**
 * The container's root: a mount of its own, put together aside and then swapped for the host's by
 * pivot_root(2).
 */
import * as c from '../../kernel/constants.ts'
import type { Spec } from '../spec.ts'
import { cloneTree, moveMount } from './attach.ts'
import type { PlanContext } from './context.ts'
import { propagationFlag } from './mount-options.ts'

/** An overlay that the container mounts in its own mount namespace, where it dies with the container. */
export interface OverlayRoot {
  /** Folder that the relative paths below start at: short paths, since mount(2) takes one page of options. */
  folder: string
  /** Lowest last, relative to `folder`. */
  lower: string[]
  upper: string
  work: string
  /** An empty folder to mount on. */
  mountPoint: string
}

/** Makes all mounts private to this namespace, mounts the root, and returns its descriptor. */
export function planRoot(context: PlanContext, spec: Spec, overlay?: OverlayRoot): number {
  const { tape } = context
  const propagation = propagationFlag(spec.linux?.rootfsPropagation) ?? c.MS_PRIVATE | c.MS_REC
  // A shared root would send our mounts to the host: slave first, shared afterwards.
  const first = propagation & c.MS_SHARED ? c.MS_SLAVE | c.MS_REC : propagation
  tape.call('set the propagation of /', 'mount', [0, tape.string('/'), 0, first, 0])
  const path = overlay ? mountOverlay(context, overlay) : bindRoot(context, spec.root.path)
  return tape.callFd(`open the root ${path}`, 'openat', [
    c.AT_FDCWD,
    tape.string(path),
    c.O_PATH | c.O_DIRECTORY | c.O_CLOEXEC,
    0,
  ])
}

function mountOverlay({ tape }: PlanContext, overlay: OverlayRoot): string {
  tape.call(`enter ${overlay.folder}`, 'chdir', [tape.string(overlay.folder)])
  const data = `lowerdir=${overlay.lower.join(':')},upperdir=${overlay.upper},workdir=${overlay.work}`
  tape.call('mount the root', 'mount', [
    tape.string('overlay'),
    tape.string(overlay.mountPoint),
    tape.string('overlay'),
    0,
    tape.string(data),
  ])
  return overlay.mountPoint
}

/** pivot_root wants a mount point: the folder is bound on itself. */
function bindRoot(context: PlanContext, path: string): string {
  const { tape } = context
  const clone = cloneTree(context, path, true)
  const at = tape.callFd(`open the root ${path}`, 'openat', [
    c.AT_FDCWD,
    tape.string(path),
    c.O_PATH | c.O_DIRECTORY | c.O_CLOEXEC,
    0,
  ])
  moveMount(context, clone, at, path)
  tape.close(at)
  tape.close(clone)
  return path
}

/** Makes `root` the root, and lets go of the host's. */
export function planPivot({ tape }: PlanContext, root: number, spec: Spec): void {
  tape.call('enter the root', 'fchdir', [root])
  // The old root is stacked on the new one and taken off again: no folder is needed for it (pivot_root(2)).
  tape.call('change the root', 'pivot_root', [tape.string('.'), tape.string('.')])
  const propagation = propagationFlag(spec.linux?.rootfsPropagation)
  if (propagation !== undefined) {
    tape.call('cut the old root off', 'mount', [0, tape.string('.'), 0, c.MS_SLAVE | c.MS_REC, 0])
  }
  tape.call('let go of the old root', 'umount2', [tape.string('.'), c.MNT_DETACH])
  tape.call('enter /', 'chdir', [tape.string('/')])
  if (propagation !== undefined) {
    tape.call('set the propagation of /', 'mount', [0, tape.string('/'), 0, propagation, 0])
  }
  if (spec.root.readonly) {
    tape.call('make the root read-only', 'mount', [
      0,
      tape.string('/'),
      0,
      c.MS_REMOUNT | c.MS_BIND | c.MS_RDONLY,
      0,
    ])
  }
}
