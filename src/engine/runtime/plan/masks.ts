/**
 * Paths of /proc and /sys that a container must not read, or not write.
 * A masked file becomes the host's null device, whose descriptor is opened and checked here, never the
 * container's own /dev/null, which the image could have swapped (CVE-2025-31133).
 */
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import type { Spec } from '../spec.ts'
import { attach, cloneFd, moveMount } from './attach.ts'
import type { PlanContext } from './context.ts'
import { makedev } from './devices.ts'
import { openInRoot } from './paths.ts'

const statSize = 144
/** Offset of st_rdev in struct stat. */
const rdevOffset = { x64: 40, arm64: 32 }

/** The host's null device; opened before the root changes. */
export function openNull({ tape }: PlanContext): number {
  const fd = tape.callFd('open /dev/null', 'openat', [
    c.AT_FDCWD,
    tape.string('/dev/null'),
    c.O_PATH | c.O_CLOEXEC,
    0,
  ])
  const stat = tape.reserve(statSize)
  tape.call(
    'check that /dev/null is the null device',
    'newfstatat' in tape.arch.numbers ? 'newfstatat' : 'fstatat',
    [fd, tape.string(''), stat, c.AT_EMPTY_PATH],
    { check: { address: stat + rdevOffset[tape.arch.name], value: makedev(1, 3) } },
  )
  return fd
}

export function planMasks(context: PlanContext, root: number, spec: Spec): void {
  const masked = spec.linux?.maskedPaths ?? []
  if (masked.length > 0) {
    const nothing = openNull(context)
    for (const path of masked) planMask(context, root, path, nothing)
    context.tape.close(nothing)
  }
  for (const path of spec.linux?.readonlyPaths ?? []) planReadonly(context, root, path)
}

/** A file gets the null device; where that does not fit (EINVAL), it is a directory and gets an empty tmpfs. */
function planMask(context: PlanContext, root: number, path: string, nothing: number): void {
  const { tape } = context
  const end = tape.label()
  const directory = tape.label()
  const done = tape.label()
  const before = tape.fds()
  const at = openInRoot(tape, root, path, { missing: end })
  const clone = cloneFd(context, nothing, '/dev/null', false)
  moveMount(context, clone, at, path, { errno: errnos.EINVAL, to: directory })
  tape.jump(done)
  tape.place(directory)
  tape.call(`enter ${path}`, 'fchdir', [at])
  tape.call(`mask ${path}`, 'mount', [
    tape.string('tmpfs'),
    tape.string('.'),
    tape.string('tmpfs'),
    c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC,
    tape.string('nr_blocks=1,nr_inodes=1'),
  ])
  tape.place(done)
  tape.close(clone)
  tape.close(at)
  tape.setFds(before)
  tape.place(end)
}

const none = { flags: 0, attrSet: 0, attrClear: 0, recursiveAttrSet: 0, recursiveAttrClear: 0 }
const readonlyDeep = { ...none, recursiveAttrSet: c.MOUNT_ATTR_RDONLY }
/** For kernels without mount_setattr: what is read-only in /proc has these flags already. */
const readonlyHere = {
  ...none,
  attrSet: c.MOUNT_ATTR_RDONLY,
  flags: c.MS_RDONLY | c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC,
}

function planReadonly(context: PlanContext, root: number, path: string): void {
  const { tape } = context
  const end = tape.label()
  const before = tape.fds()
  const at = openInRoot(tape, root, path, { missing: end })
  const clone = cloneFd(context, at, path, true)
  attach(context, clone, at, path, context.features.mountSetattr ? readonlyDeep : readonlyHere)
  tape.close(clone)
  tape.close(at)
  tape.setFds(before)
  tape.place(end)
}
