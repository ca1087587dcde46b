/** Runs a tape up to the moment when the user's program has begun, or has not. */
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { within } from '../../shared/deadline.ts'
import { O_CLOEXEC } from '../kernel/constants.ts'
import { errnos } from '../kernel/errno.ts'
import { pipe } from '../kernel/libc.ts'
import { failureSize } from '../kernel/player/player.ts'
import { openPidfd, reapPidfd, SIGKILL, signalPidfd } from '../kernel/process.ts'
import { spawnTape } from '../kernel/spawn.ts'
import type { Tape, TapeFailure } from '../kernel/tape.ts'
import { fail } from './errors.ts'
import { keeperFd } from './plan/context.ts'
import { execStep } from './plan/process.ts'

export interface Launch {
  tape: Tape
  /** Shown by `ps`; argv[0] first. */
  argv: string[]
  /** Descriptor in the tape's process -> descriptor here. The report's is added. */
  fds: ReadonlyMap<number, number>
  /** The program's name as the user wrote it, for the error. */
  program: string
  timeoutMs?: number
  /** Called as soon as the keeper has reported, before the program runs for sure. */
  onStarted?: (keeperPidfd: number) => void
}

export interface Launched {
  /** The process that was spawned: the keeper. */
  keeperPid: number
  /** Of the keeper, close-on-exec. The caller closes it. */
  keeperPidfd: number
  /** The container's first process, as this PID namespace numbers it. */
  pid: number
}

const defaultTimeoutMs = 30_000

/**
 * Spawns the tape and reads its report to the end.
 * @throws E_NO_EXECUTABLE, E_NOT_EXECUTABLE, E_START; then nothing of it runs any more
 */
export async function launch(options: Launch): Promise<Launched> {
  const [read, write] = pipe(O_CLOEXEC)
  let keeperPid: number
  try {
    keeperPid = spawnTape(options.tape, new Map([...options.fds, [keeperFd.report, write]]), options.argv)
  } catch (error) {
    closeSync(read)
    throw error
  } finally {
    closeSync(write)
  }
  const keeperPidfd = openPidfd(keeperPid)
  const socket = new Socket({ fd: read, readable: true, writable: false })
  try {
    const report = await within(
      'the container to start',
      options.timeoutMs ?? defaultTimeoutMs,
      readAll(socket, () => options.onStarted?.(keeperPidfd)),
    )
    const pid = interpret(options, report)
    return { keeperPid, keeperPidfd, pid }
  } catch (error) {
    socket.destroy()
    signalPidfd(keeperPidfd, SIGKILL)
    await reap(keeperPidfd)
    closeSync(keeperPidfd)
    throw error
  }
}

/** Reaps a child that is about to end. */
async function reap(pidfd: number): Promise<void> {
  for (let i = 0; i < 200 && reapPidfd(pidfd) === undefined; i++) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function readAll(socket: Socket, onStarted: () => void): Promise<Buffer> {
  let report = Buffer.alloc(0)
  let told = false
  for await (const chunk of socket) {
    report = Buffer.concat([report, chunk as Buffer])
    if (!told && report.length >= failureSize && report.readUInt32LE(0) === 0) {
      told = true
      onStarted()
    }
  }
  return report
}

/** The report is words of eight bytes: {0, pid} from the keeper, {entry, errno} from a player that gave up. */
function interpret(options: Launch, report: Buffer): number {
  let pid = 0
  for (let at = 0; at + failureSize <= report.length; at += failureSize) {
    if (report.readUInt32LE(at) !== 0) throw explain(options, report.subarray(at, at + failureSize))
    pid = report.readUInt32LE(at + 4)
  }
  if (pid === 0) throw fail('E_START', { step: 'report the pid', errno: 'the process ended without a word' })
  return pid
}

function explain(options: Launch, report: Buffer): Error {
  const cause: TapeFailure = options.tape.explain(report)
  if (cause.what !== execStep) return fail('E_START', { step: cause.what, errno: cause.errnoName }, cause)
  const missing = cause.errno === errnos.ENOENT || cause.errno === errnos.ENOTDIR
  return fail(missing ? 'E_NO_EXECUTABLE' : 'E_NOT_EXECUTABLE', { path: options.program }, cause)
}
