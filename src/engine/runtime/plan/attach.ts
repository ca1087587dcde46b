/**
 * Detached mounts: cloned from somewhere, given their options, then moved to where they belong. Nothing is
 * ever visible with the wrong options.
 */
import * as c from '../../kernel/constants.ts'
import type { EntryOptions } from '../../kernel/tape.ts'
import { fail } from '../errors.ts'
import type { PlanContext } from './context.ts'
import type { MountOptions } from './mount-options.ts'

/** A detached copy of what is mounted at a path of the host. */
export function cloneTree({ tape }: PlanContext, path: string, recursive: boolean): number {
  const flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | (recursive ? c.AT_RECURSIVE : 0)
  return tape.callFd(`open ${path}`, 'open_tree', [c.AT_FDCWD, tape.string(path), flags])
}

/** A detached copy of what a descriptor names. */
export function cloneFd({ tape }: PlanContext, fd: number, what: string, recursive: boolean): number {
  const flags = c.OPEN_TREE_CLONE | c.OPEN_TREE_CLOEXEC | c.AT_EMPTY_PATH | (recursive ? c.AT_RECURSIVE : 0)
  return tape.callFd(`copy the mount of ${what}`, 'open_tree', [fd, tape.string(''), flags])
}

export function moveMount(
  { tape }: PlanContext,
  from: number,
  to: number,
  where: string,
  tolerate?: EntryOptions['tolerate'],
): void {
  tape.call(
    `mount on ${where}`,
    'move_mount',
    [from, tape.string(''), to, tape.string(''), c.MOVE_MOUNT_F_EMPTY_PATH | c.MOVE_MOUNT_T_EMPTY_PATH],
    { tolerate },
  )
}

/** What of a mount's options `attach` applies. */
export type Attributes = Pick<
  MountOptions,
  'flags' | 'attrSet' | 'attrClear' | 'recursiveAttrSet' | 'recursiveAttrClear'
>

/** Moves a detached mount to its place, with its options set before it can be seen, where the kernel can. */
export function attach(
  context: PlanContext,
  clone: number,
  at: number,
  where: string,
  options: Attributes,
): void {
  const { tape, features } = context
  const changes = options.attrSet | (options.attrClear & ~c.MOUNT_ATTR_RDONLY)
  const deep = options.recursiveAttrSet || options.recursiveAttrClear
  if (features.mountSetattr) {
    if (options.attrSet || options.attrClear)
      setattr(context, clone, where, options.attrSet, options.attrClear, 0)
    if (deep)
      setattr(context, clone, where, options.recursiveAttrSet, options.recursiveAttrClear, c.AT_RECURSIVE)
  } else if (deep) {
    throw fail('E_SPEC', {
      field: 'mounts',
      problem: `${where}: recursive options need a kernel from 5.12 on`,
    })
  }
  moveMount(context, clone, at, where)
  if (!features.mountSetattr && changes) {
    const path = tape.string(`/proc/self/fd/${clone}`)
    tape.call(`set the options of ${where}`, 'mount', [
      0,
      path,
      0,
      c.MS_REMOUNT | c.MS_BIND | options.flags,
      0,
    ])
  }
}

function setattr(
  { tape }: PlanContext,
  fd: number,
  where: string,
  set: number,
  clear: number,
  flags: number,
): void {
  const attr = Buffer.alloc(32)
  attr.writeBigUInt64LE(BigInt(set), 0)
  attr.writeBigUInt64LE(BigInt(clear | (set & c.MOUNT_ATTR__ATIME ? c.MOUNT_ATTR__ATIME : 0)), 8)
  const args = [fd, tape.string(''), c.AT_EMPTY_PATH | flags, tape.bytes(attr), 32]
  tape.call(`set the options of ${where}`, 'mount_setattr', args)
}

/** Mounts on a directory's descriptor, by making it the current folder first. */
export function mountHere(
  { tape }: PlanContext,
  at: number,
  where: string,
  type: string,
  source: string | undefined,
  flags: number,
  data: string,
): void {
  tape.call(`enter ${where}`, 'fchdir', [at])
  tape.call(`mount ${type} on ${where}`, 'mount', [
    tape.string(source ?? type),
    tape.string('.'),
    tape.string(type),
    flags,
    data ? tape.string(data) : 0,
  ])
}
