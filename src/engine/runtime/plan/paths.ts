/**
 * Paths inside a container's root. Whoever wrote the image, or shares a volume with it, may have put a
 * symbolic link anywhere; so every path is resolved by openat2 within the root, once, to a descriptor.
 */
import {
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFREG,
} from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import type { Label, Tape } from '../../kernel/tape.ts'

/** struct open_how of openat2(2), for a path within a root. */
export function openHow(tape: Tape, flags: number, mode = 0): number {
  const how = Buffer.alloc(24)
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0)
  how.writeBigUInt64LE(BigInt(mode), 8)
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16)
  return tape.bytes(how)
}
export const openHowSize = 24

export interface OpenOptions {
  flags?: number
  /** Where to go on when the path is not there; a failure when left out. */
  missing?: Label
}

/** Opens a path within the root, with O_PATH unless flags are given. */
export function openInRoot(tape: Tape, root: number, path: string, options: OpenOptions = {}): number {
  const relative = path.replace(/^\/+/, '') || '.'
  return tape.callFd(
    `open ${path} in the root`,
    'openat2',
    [root, tape.string(relative), openHow(tape, options.flags ?? O_PATH), openHowSize],
    options.missing ? { tolerate: { errno: errnos.ENOENT, to: options.missing } } : {},
  )
}

/**
 * Opens a mount's destination, and makes it and its parents first where they are missing.
 * @param kind what it must become: a directory, or an empty file
 */
export function openDestination(tape: Tape, root: number, path: string, kind: 'directory' | 'file'): number {
  const parts = path.split('/').filter((p) => p && p !== '.')
  const missing = tape.label()
  const found = tape.label()
  const before = tape.fds()
  const fd = openInRoot(tape, root, path, { missing })
  tape.jump(found)
  tape.place(missing)
  tape.setFds(before)
  for (const [i, part] of parts.entries()) {
    const parent = openInRoot(tape, root, parts.slice(0, i).join('/') || '/', { flags: O_PATH | O_DIRECTORY })
    const last = i === parts.length - 1
    const tolerate = { errno: errnos.EEXIST }
    if (last && kind === 'file') {
      tape.call(`create ${path}`, 'mknodat', [parent, tape.string(part), S_IFREG | 0o644, 0], { tolerate })
    } else {
      tape.call(`create ${path}`, 'mkdirat', [parent, tape.string(part), 0o755], { tolerate })
    }
    tape.close(parent)
  }
  const made = openInRoot(tape, root, path)
  if (made !== fd) throw new RangeError('both branches must leave the same descriptor')
  tape.place(found)
  return fd
}

/** Flags for a path that must not be a symbolic link at its end. */
export const noFollow = O_PATH | O_NOFOLLOW
