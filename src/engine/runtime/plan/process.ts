/**
 * The last part of the container's side: from a finished root to the user's program. The order matters:
 * limits while we may still raise them, the filter while we may still load it, identity, capabilities, and
 * then nothing but closing descriptors and execve.
 */

import { capabilityMask } from '../../kernel/capabilities.ts'
import * as c from '../../kernel/constants.ts'
import { errnos } from '../../kernel/errno.ts'
import type { Tape } from '../../kernel/tape.ts'
import { fail } from '../errors.ts'
import type { CapabilitySet, Process } from '../spec.ts'
import { keeperFd, type PlanContext } from './context.ts'

export interface ProcessPlan {
  process: Process
  /** A compiled filter; none when left out. */
  seccomp?: { program: Buffer; flags: number }
  /** A FIFO's descriptor: the program starts when a byte comes (the OCI command's `start`). */
  waitAt?: number
  /** A pipe's descriptor: the program starts when the daemon closes its end, having taken the terminal. */
  gateFd?: number
}

export function planProcess(context: PlanContext, { process, seccomp, waitAt, gateFd }: ProcessPlan): void {
  const { tape } = context
  if (!process.args?.length) throw fail('E_SPEC', { field: 'process.args', problem: 'needs a program' })
  planLimits(tape, process)
  enterFolder(tape, process.cwd)
  if (process.user.uid !== 0) giveStdio(tape, process.user.uid)
  if (seccomp && !process.noNewPrivileges) loadFilter(tape, seccomp)
  planIdentity(context, process)
  if (process.noNewPrivileges) {
    tape.call('forbid new privileges', 'prctl', [c.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0])
    if (seccomp) loadFilter(tape, seccomp)
  }
  if (gateFd !== undefined) tape.call('wait for the daemon', 'read', [gateFd, tape.reserve(8), 1])
  if (waitAt !== undefined) planWait(tape, process, waitAt)
  // The report is closed by execve itself: its end tells the daemon that the program runs.
  tape.closeRange(4)
  planExec(tape, process)
}

/** sys/resource.h */
const resources: Record<string, number> = {
  RLIMIT_CPU: 0,
  RLIMIT_FSIZE: 1,
  RLIMIT_DATA: 2,
  RLIMIT_STACK: 3,
  RLIMIT_CORE: 4,
  RLIMIT_RSS: 5,
  RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7,
  RLIMIT_MEMLOCK: 8,
  RLIMIT_AS: 9,
  RLIMIT_LOCKS: 10,
  RLIMIT_SIGPENDING: 11,
  RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13,
  RLIMIT_RTPRIO: 14,
  RLIMIT_RTTIME: 15,
}

function planLimits(tape: Tape, process: Process): void {
  for (const limit of process.rlimits ?? []) {
    const resource = resources[limit.type]
    if (resource === undefined) {
      throw fail('E_SPEC', { field: 'process.rlimits.type', problem: `${limit.type} is no resource limit` })
    }
    const value = Buffer.alloc(16)
    value.writeBigUInt64LE(limitWord(limit.soft), 0)
    value.writeBigUInt64LE(limitWord(limit.hard), 8)
    tape.call(`set ${limit.type}`, 'prlimit64', [0, resource, tape.bytes(value), 0])
  }
  if (process.oomScoreAdj !== undefined) {
    // Lowering it needs CAP_SYS_RESOURCE; where that is missing the score stays what we have.
    const score = String(process.oomScoreAdj)
    const fd = tape.callFd('open oom_score_adj', 'openat', [
      c.AT_FDCWD,
      tape.string('/proc/self/oom_score_adj'),
      c.O_WRONLY | c.O_CLOEXEC,
      0,
    ])
    tape.call('set oom_score_adj', 'write', [fd, tape.string(score), score.length], {
      tolerate: { errno: errnos.EACCES },
    })
    tape.close(fd)
  }
}

/** -1 and what is larger than the kernel counts are "no limit". */
function limitWord(value: number): bigint {
  return value < 0 || value >= 2 ** 63 ? 0xffffffffffffffffn : BigInt(Math.floor(value))
}

/** A working folder must be inside the root: one that isn't has a path that doesn't begin with "/". */
function enterFolder(tape: Tape, cwd: string): void {
  if (!cwd?.startsWith('/'))
    throw fail('E_SPEC', { field: 'process.cwd', problem: 'must be an absolute path' })
  tape.call(`enter the working folder ${cwd}`, 'chdir', [tape.string(cwd)])
  const size = 4096
  const path = tape.reserve(size)
  tape.call('check that the working folder is inside the root', 'getcwd', [path, size], {
    check: { address: path, mask: 0xff, value: '/'.charCodeAt(0) },
  })
}

/** Streams opened by us belong to root; /dev/stdout can be opened again by their user only if he owns them. */
function giveStdio(tape: Tape, uid: number): void {
  for (const fd of [0, 1, 2]) {
    tape.call(`give stream ${fd} to user ${uid}`, 'fchown', [fd, uid, -1], {
      tolerate: { errno: errnos.EROFS },
    })
  }
}

function loadFilter(tape: Tape, { program, flags }: { program: Buffer; flags: number }): void {
  const filter = Buffer.alloc(16)
  filter.writeUInt16LE(program.length / 8, 0)
  filter.writeUInt32LE(tape.bytes(program), 8)
  tape.call('load the seccomp filter', 'seccomp', [c.SECCOMP_SET_MODE_FILTER, flags, tape.bytes(filter)])
}

function planIdentity(context: PlanContext, process: Process): void {
  const { tape, features } = context
  const { user, capabilities } = process
  const set = (name: CapabilitySet) => capabilityMask(capabilities?.[name] ?? []) & features.bounding
  const bounding = set('bounding')
  for (let cap = 0; cap <= features.lastCapability; cap++) {
    const bit = 1n << BigInt(cap)
    if (features.bounding & bit && !(bounding & bit)) {
      tape.call(`drop capability ${cap}`, 'prctl', [c.PR_CAPBSET_DROP, cap, 0, 0, 0])
    }
  }
  tape.call('keep capabilities over the change of user', 'prctl', [c.PR_SET_KEEPCAPS, 1, 0, 0, 0])
  const groups = [...new Set(user.additionalGids ?? [])]
  const list = Buffer.alloc(4 * groups.length)
  for (const [i, gid] of groups.entries()) list.writeUInt32LE(gid, 4 * i)
  tape.call('set the groups', 'setgroups', [groups.length, groups.length ? tape.bytes(list) : 0])
  tape.call(`become group ${user.gid}`, 'setresgid', [user.gid, user.gid, user.gid])
  tape.call(`become user ${user.uid}`, 'setresuid', [user.uid, user.uid, user.uid])
  tape.call('set the capabilities', 'capset', [
    capHeader(tape),
    capData(tape, set('effective'), set('permitted'), set('inheritable')),
  ])
  tape.call('clear the ambient capabilities', 'prctl', [
    c.PR_CAP_AMBIENT,
    c.PR_CAP_AMBIENT_CLEAR_ALL,
    0,
    0,
    0,
  ])
  const ambient = set('ambient') & set('permitted') & set('inheritable')
  for (let cap = 0; cap <= features.lastCapability; cap++) {
    if (ambient & (1n << BigInt(cap))) {
      tape.call(`raise ambient capability ${cap}`, 'prctl', [
        c.PR_CAP_AMBIENT,
        c.PR_CAP_AMBIENT_RAISE,
        cap,
        0,
        0,
      ])
    }
  }
  tape.call('set the umask', 'umask', [user.umask ?? 0o022])
}

/** struct __user_cap_header_struct, version 3, for the caller. */
function capHeader(tape: Tape): number {
  const header = Buffer.alloc(8)
  header.writeUInt32LE(0x20080522, 0)
  return tape.bytes(header)
}

/** Two struct __user_cap_data_struct: the low halves, then the high ones. */
function capData(tape: Tape, effective: bigint, permitted: bigint, inheritable: bigint): number {
  const data = Buffer.alloc(24)
  for (const [i, mask] of [effective, permitted, inheritable].entries()) {
    data.writeUInt32LE(Number(mask & 0xffffffffn), 4 * i)
    data.writeUInt32LE(Number(mask >> 32n), 12 + 4 * i)
  }
  return tape.bytes(data)
}

/** The name of the step that execs; the daemon turns its errno into Docker's exit code. */
export const execStep = 'exec the program'

/**
 * `create` must fail where the program is missing, and is gone when `start` comes: so the program is looked
 * for now, and the end of the report says that all is ready.
 */
function planWait(tape: Tape, process: Process, fifo: number): void {
  const found = tape.label()
  const candidates = candidatesOf(process)
  for (const [i, path] of candidates.entries()) {
    const last = i === candidates.length - 1
    const missing = tape.label()
    tape.call(execStep, 'faccessat', [c.AT_FDCWD, tape.string(path), X_OK], {
      ...(last ? {} : { tolerate: { errno: errnos.ENOENT, to: missing } }),
    })
    if (!last) tape.jump(found)
    tape.place(missing)
  }
  tape.place(found)
  tape.close(keeperFd.report)
  tape.call('wait for the start signal', 'read', [fifo, tape.reserve(8), 1])
}
const X_OK = 1

/** As execvp(3): a name without a slash is tried in each folder of the container's own PATH. */
function planExec(tape: Tape, process: Process): void {
  const argv = tape.stringArray(process.args!)
  const env = tape.stringArray(process.env ?? [])
  const candidates = candidatesOf(process)
  for (const [i, path] of candidates.entries()) {
    const last = i === candidates.length - 1
    tape.call(execStep, 'execve', [tape.string(path), argv, env], {
      ...(last ? {} : { tolerate: { errno: errnos.ENOENT } }),
    })
  }
}

function candidatesOf(process: Process): string[] {
  const [program] = process.args as [string, ...string[]]
  return program.includes('/') ? [program] : searchPath(process.env).map((f) => `${f}/${program}`)
}

function searchPath(env: readonly string[] = []): string[] {
  const path = env.findLast((e) => e.startsWith('PATH='))?.slice(5)
  const folders = (path ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin').split(':')
  return folders.map((f) => f || '.')
}
