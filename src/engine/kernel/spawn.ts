/**
 * Starts a tape: its image goes to a sealed memfd, and posix_spawn runs that. The new process has nothing of
 * the host's binaries in it, one thread, all signals at their defaults and unblocked, a session of its own,
 * and exactly the descriptors that are named here.
 */
import { closeSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import {
  F_ADD_SEALS,
  F_DUPFD_CLOEXEC,
  F_SEAL_ALL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
} from './constants.ts'
import { makeImage } from './elf.ts'
import { SystemCallError } from './errno.ts'
import { dupFd, fcntl, loadLibrary, memfdCreate } from './libc.ts'
import type { Tape } from './tape.ts'

const libc = loadLibrary('libc.so.6')
/** Opaque to us: at least as large as glibc's posix_spawnattr_t (336) and posix_spawn_file_actions_t (80). */
const opaqueSize = 512
const POSIX_SPAWN_SETSIGDEF = 0x04
const POSIX_SPAWN_SETSIGMASK = 0x08
const POSIX_SPAWN_SETSID = 0x80
const sigsetSize = 128

type Bytes = Uint8Array
const fn = <F>(declaration: string) => libc.func(declaration) as unknown as F
const attrInit = fn<(attr: Bytes) => number>('int posix_spawnattr_init(void *)')
const attrFlags = fn<(attr: Bytes, flags: number) => number>('int posix_spawnattr_setflags(void *, short)')
const attrDefault = fn<(attr: Bytes, set: Bytes) => number>(
  'int posix_spawnattr_setsigdefault(void *, void *)',
)
const attrMask = fn<(attr: Bytes, set: Bytes) => number>('int posix_spawnattr_setsigmask(void *, void *)')
const actionsInit = fn<(actions: Bytes) => number>('int posix_spawn_file_actions_init(void *)')
const actionsDestroy = fn<(actions: Bytes) => number>('int posix_spawn_file_actions_destroy(void *)')
const actionsDup = fn<(actions: Bytes, from: number, to: number) => number>(
  'int posix_spawn_file_actions_adddup2(void *, int, int)',
)
const spawn = fn<
  (pid: number[], path: string, actions: Bytes, attr: Bytes, argv: (string | null)[], envp: null[]) => number
>('int posix_spawn(_Out_ int *, const char *, void *, void *, const char **, const char **)')

/** The attributes never change, so one set serves every spawn. */
function makeAttributes(): Bytes {
  const attr = Buffer.alloc(opaqueSize)
  attrInit(attr)
  attrFlags(attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID)
  // SIGKILL and SIGSTOP can't be set; glibc passes over its own two internal signals by itself.
  const all = Buffer.alloc(sigsetSize)
  all.fill(0xff, 0, 8)
  for (const signal of [constants.signals.SIGKILL, constants.signals.SIGSTOP]) {
    all[(signal - 1) >> 3]! &= ~(1 << ((signal - 1) & 7))
  }
  attrDefault(attr, all)
  attrMask(attr, Buffer.alloc(sigsetSize))
  return attr
}
let attributes: Bytes | undefined

/** A sealed, executable memfd that holds the tape's image; close-on-exec. The caller closes it. */
export function makeImageFd(tape: Tape, name: string): number {
  const fd = memfdExec(name)
  try {
    const image = makeImage(tape)
    for (let done = 0; done < image.length; ) done += writeSync(fd, image, done)
    fcntl(fd, F_ADD_SEALS, F_SEAL_ALL)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

function memfdExec(name: string): number {
  try {
    return memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC)
  } catch (error) {
    // Kernels before 6.3 don't know the flag, and need none.
    if ((error as SystemCallError).code !== 'EINVAL') throw error
    return memfdCreate(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)
  }
}

/**
 * Starts the tape as a child of this process.
 * @param fds what the child has: descriptor number there -> descriptor here. Nothing else is inherited.
 * @param argv what `ps` shows; argv[0] first
 * @returns the child's pid; the caller waits for it
 * @throws SystemCallError
 */
export function spawnTape(tape: Tape, fds: ReadonlyMap<number, number>, argv: string[]): number {
  attributes ??= makeAttributes()
  const image = makeImageFd(tape, argv[0] ?? 'tape')
  const actions = Buffer.alloc(opaqueSize)
  actionsInit(actions)
  // Sources move out of the targets' way first, since dup2 onto a source that is still needed would lose it.
  const highest = Math.max(...fds.keys())
  const moved: number[] = []
  try {
    for (const [to, from] of fds) {
      let source = from
      if (from <= highest && from !== to && fds.has(from)) {
        source = dupFd(from, F_DUPFD_CLOEXEC, highest + 1)
        moved.push(source)
      }
      actionsDup(actions, source, to)
    }
    let executable = image
    if (image <= highest) {
      executable = dupFd(image, F_DUPFD_CLOEXEC, highest + 1)
      moved.push(executable)
    }
    const pid = [0]
    const error = spawn(pid, `/proc/self/fd/${executable}`, actions, attributes, [...argv, null], [null])
    if (error !== 0) throw new SystemCallError('posix_spawn', error, argv[0])
    return pid[0]!
  } finally {
    actionsDestroy(actions)
    for (const fd of moved) closeSync(fd)
    closeSync(image)
  }
}
