/**
 * The keeper: the branch of the tape that stays outside. It was alone with the container's cgroups and
 * namespaces a moment ago; now it only holds the streams' ends for a daemon that may come and go, waits for
 * the container, writes the exit record and goes.
 */
import { constants } from 'node:os'
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import { mismatchErrno } from '../../kernel/player/player.ts'
import type { Tape } from '../../kernel/tape.ts'
import { exitRecord } from '../exit-record.ts'
import { firstExtraFd, keeperFd } from './context.ts'

/** A keeper's first argument; the engine's id, the container's and perhaps the exec session's follow. */
export const keeperName = 'tshost-keeper'

/** What a process that Node started must shed before it is anybody's ancestor. */
export function planShedding(tape: Tape): void {
  // A descriptor that posix_spawn put in its place is open over execve; this one must end there.
  tape.call('close the report on exec', 'fcntl', [keeperFd.report, F_SETFD, FD_CLOEXEC])
  tape.call('name the keeper', 'prctl', [c.PR_SET_NAME, tape.string(keeperName), 0, 0, 0])
  // Until execve: no ptrace, and /proc/PID is root's, also for a container that is entered (CVE-2016-9962).
  tape.call('hide from ptrace', 'prctl', [c.PR_SET_DUMPABLE, 0, 0, 0, 0])
  tape.call('clear the umask', 'umask', [0])
  tape.call('leave the working folder', 'chdir', [tape.string('/')])
  tape.call('reset the nice value', 'setpriority', [0, 0, 0], { tolerate: { errno: errnos.EACCES } })
}

const F_SETFD = 2
const FD_CLOEXEC = 1

/** The word that the keeper reports: {0, pid}, as the player reports {entry, errno}. */
export interface Started {
  address: number
}

/** Room for the report, made before the clone, whose CLONE_PARENT_SETTID writes the pid into it. */
export function reserveStarted(tape: Tape): Started {
  return { address: tape.reserve(8) }
}

export interface CloneOptions {
  flags: number
  started: Started
  /** v2: the descriptor of the cgroup's folder. */
  cgroupFd?: number
}

/**
 * Adds clone3: the child's entries follow, the parent goes on at `parent`.
 * @returns the number of the child's pidfd, in the parent
 */
export function planClone(tape: Tape, options: CloneOptions, parent: { index?: number }): { pidfd: number } {
  const before = tape.fds()
  const pidfd = tape.takeFd()
  tape.setFds(before)
  const pidfdWord = tape.reserve(8)
  const into = options.cgroupFd === undefined ? 0 : c.CLONE_INTO_CGROUP
  const args = Buffer.alloc(88) // struct clone_args
  const flags = BigInt(options.flags >>> 0) | BigInt(c.CLONE_PIDFD | c.CLONE_PARENT_SETTID) | BigInt(into)
  args.writeBigUInt64LE(flags, 0)
  args.writeUInt32LE(pidfdWord, 8)
  args.writeUInt32LE(options.started.address + 4, 24)
  // A sibling's end is told as ours is; clone3 takes no signal for it.
  args.writeUInt32LE(options.flags & c.CLONE_PARENT ? 0 : constants.signals.SIGCHLD, 32)
  args.writeUInt32LE(options.cgroupFd ?? 0, 80)
  tape.call('create the process', 'clone3', [tape.bytes(args), args.length], { nonzeroTo: parent })
  return { pidfd }
}

export function planReport(tape: Tape, started: Started): void {
  tape.call('report the pid', 'write', [keeperFd.report, started.address, 8])
}

/**
 * Lets go of everything but the record and the streams, waits, records, exits.
 * @param held whether it stays until it is released: what the container wrote last is in pipes that die with
 *   the keeper, and the daemon may be away just then
 */
export function planVigil(tape: Tape, pidfd: number, held: boolean): void {
  tape.closeRange(0, keeperFd.report)
  if (pidfd > firstExtraFd) tape.closeRange(firstExtraFd, pidfd - 1)
  tape.closeRange(pidfd + 1)
  planStdinEnd(tape, pidfd)
  const record = Buffer.alloc(exitRecord.size)
  record.writeUInt32LE(1, exitRecord.done)
  const address = tape.bytes(record)
  tape.call('wait for the container', 'waitid', [
    c.P_PIDFD,
    pidfd,
    address + exitRecord.siginfo,
    c.WEXITED,
    address + exitRecord.rusage,
  ])
  tape.call('take the time', 'clock_gettime', [0, address + exitRecord.time])
  tape.call('record the exit', 'pwrite64', [keeperFd.record, address, exitRecord.size, exitRecord.fileOffset])
  if (held) planRelease(tape)
  tape.call('leave', 'exit_group', [0])
}

function planRelease(tape: Tape): void {
  const set = Buffer.alloc(8) // struct pollfd
  set.writeInt32LE(keeperFd.release, 0)
  set.writeInt16LE(POLLIN, 4)
  tape.call('wait for the release', 'ppoll', [tape.bytes(set), 1, 0, 0, 0])
}

const POLLIN = 1

/**
 * Waits for the container's end or for the word to close stdin, whichever comes first. Closing the daemon's
 * copy of the pipe would not do: the container sees the end only when the last one is closed.
 */
function planStdinEnd(tape: Tape, pidfd: number): void {
  const set = Buffer.alloc(16) // two struct pollfd
  set.writeInt32LE(pidfd, 0)
  set.writeInt16LE(POLLIN, 4)
  set.writeInt32LE(keeperFd.control, 8)
  set.writeInt16LE(POLLIN, 12)
  const address = tape.bytes(set)
  const ended = tape.label()
  tape.call('wait for the end, of the container or of its input', 'ppoll', [address, 2, 0, 0, 0], {
    check: { address: address + 12, mask: POLLIN << 16, value: POLLIN << 16 },
    tolerate: { errno: mismatchErrno, to: ended },
  })
  tape.call('close the input', 'close', [keeperFd.stdin])
  tape.place(ended)
}
