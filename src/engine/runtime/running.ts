/**
 * A started process with its keeper: a container's first one, or an exec session. It is made by starting one,
 * or by adopting one that an earlier daemon started.
 */
import { closeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { O_CLOEXEC } from '../kernel/constants.ts'
import { pipe, raiseEventFd } from '../kernel/libc.ts'
import type { Poll } from '../kernel/poll.ts'
import { bootId, openPidfd, SIGKILL, signalPidfd, startTimeOf } from '../kernel/process.ts'
import type { Tape } from '../kernel/tape.ts'
import { createExitRecord, type ExitStatus, readExitRecord } from './exit-record.ts'
import { launch } from './launch.ts'
import { openSpool } from './logs/spool.ts'
import { firstExtraFd, keeperFd } from './plan/context.ts'
import { closeAll, type DaemonStreams, makeStreams, takeStreams } from './streams.ts'

const formatVersion = 1

/** What must be known to find the process again; kept on disk by the caller. */
export interface ProcessRecord {
  /** Of this form of the record. */
  version: typeof formatVersion
  pid: number
  startTime: number | undefined
  keeperPid: number
  keeperStartTime: number | undefined
  bootId: string
  stdin: boolean
  terminal: boolean
}

export interface StartOptions {
  tape: Tape
  /** Shown by `ps`, and found by the sweep: "tshost-keeper", the engine, the container. */
  argv: string[]
  program: string
  stdin: boolean
  terminal: boolean
  /** Where the spool goes; exists. Without one the output is the caller's (`Running.output`). */
  folder?: string
  exitRecordPath: string
  /** Further descriptors of ours that the tape refers to, from firstExtraFd on. */
  extraFds?: number[]
  poll: Poll
  onExit: (status: ExitStatus) => void
  onBytes?: () => void
  onLogError?: (message: string) => void
}

export type AdoptOptions = Pick<
  StartOptions,
  'folder' | 'exitRecordPath' | 'poll' | 'onExit' | 'onBytes' | 'onLogError'
> & { record: ProcessRecord }

export interface Running {
  record: ProcessRecord
  /** Where input goes; undefined where there is none. */
  stdinFd: number | undefined
  /** Ends the container's input. */
  closeStdin(): void
  /** Without a spool: where the output comes from, not blocking; the caller closes them. */
  output?: { stdout: number; stderr?: number }
  /** Says whether new output is told by onBytes. */
  follow(on: boolean): void
  /** @returns false where the process is gone */
  signal(signal: number): boolean
}

/** An exit that nobody saw: the keeper was killed. */
const unknownExitCode = 255

/**
 * Starts the tape's process and captures its output.
 * @throws E_NO_EXECUTABLE, E_NOT_EXECUTABLE, E_START; nothing is left then but the files in the folder
 */
export async function startProcess(options: StartOptions): Promise<Running> {
  const { stdin, terminal, tape, argv, program, extraFds = [] } = options
  const opened = new Set<number>()
  try {
    const record = createExitRecord(options.exitRecordPath)
    opened.add(record)
    const streams = makeStreams({ stdin, terminal })
    for (const fd of [...streams.container, ...Object.values(streams.keeper)]) opened.add(fd)
    const gate = terminal ? pipe(O_CLOEXEC) : undefined
    for (const fd of gate ?? []) opened.add(fd)
    const fds = new Map([
      ...streams.container.entries(),
      [keeperFd.record, record] as const,
      [keeperFd.stdin, streams.keeper.stdin] as const,
      [keeperFd.stdout, streams.keeper.stdout] as const,
      [keeperFd.stderr, streams.keeper.stderr] as const,
      [keeperFd.control, streams.keeper.control] as const,
      [keeperFd.release, streams.keeper.release] as const,
      ...[...extraFds, ...(gate ? [gate[0]] : [])].map((fd, i) => [firstExtraFd + i, fd] as const),
    ])
    let mine: DaemonStreams = { ...streams.keeper, stdin: stdin ? streams.keeper.stdin : undefined }
    const { keeperPid, keeperPidfd, pid } = await launch({
      tape,
      argv,
      program,
      fds,
      onStarted: (keeper) => {
        if (!gate) return
        // The program waits until we have the terminal, or its first words could be lost with the keeper.
        mine = takeStreams(keeper, options)
        for (const fd of Object.values(mine)) if (fd !== undefined) opened.add(fd)
        closeSync(gate[1])
        opened.delete(gate[1])
      },
    })
    for (const fd of Object.values(mine)) opened.delete(fd)
    const processRecord: ProcessRecord = {
      version: formatVersion,
      pid,
      startTime: startTimeOf(pid),
      keeperPid,
      keeperStartTime: startTimeOf(keeperPid),
      bootId: bootId(),
      stdin,
      terminal,
    }
    try {
      return supervise(options, processRecord, keeperPidfd, mine)
    } catch (error) {
      signalTo(processRecord)(SIGKILL)
      raiseEventFd(mine.release)
      closeAll(Object.values(mine).filter((fd) => fd !== undefined))
      closeSync(keeperPidfd)
      throw error
    }
  } finally {
    closeAll(opened)
  }
}

/**
 * Takes over a process that another daemon started. One that ended meanwhile is told by `onExit` soon.
 * @returns undefined where neither the process nor its keeper is there any more: then `onExit` is never called
 *   and the exit record has all that is known
 */
export function adoptProcess(options: AdoptOptions): Running | undefined {
  const { record } = options
  if (record.bootId !== bootId()) return undefined
  const keeper = openIfSame(record.keeperPid, record.keeperStartTime)
  const streams = keeper === undefined ? undefined : streamsOf(keeper, options)
  if (streams) return supervise(options, record, keeper!, streams)
  // Without its keeper the end will still be seen, and the code where the keeper lives to write it.
  const orphan = openIfSame(record.pid, record.startTime)
  if (orphan === undefined) return undefined
  options.poll.watch({
    pidfd: orphan,
    onExit: () =>
      void lateStatus(options).then((status) => {
        options.onExit(status)
        endKeeper(record)
      }),
  })
  return {
    record,
    stdinFd: undefined,
    closeStdin: () => undefined,
    follow: () => undefined,
    signal: signalTo(record),
  }
}

/**
 * Of a keeper that may have ended, reaped or not, or that another version made in another form: then undefined,
 * and the pidfd is closed.
 */
function streamsOf(keeperPidfd: number, { record, onLogError }: AdoptOptions): DaemonStreams | undefined {
  try {
    if (record.version !== formatVersion) throw new Error(`a process record of version ${record.version}`)
    return takeStreams(keeperPidfd, record)
  } catch (error) {
    closeSync(keeperPidfd)
    if (errnoOf(error) !== 'ESRCH') onLogError?.(`its keeper's streams can't be taken: ${messageOf(error)}`)
    return undefined
  }
}

/** One that could not be taken over would wait for its release for ever. */
function endKeeper({ keeperPid, keeperStartTime }: ProcessRecord): void {
  const keeper = openIfSame(keeperPid, keeperStartTime)
  if (keeper === undefined) return
  try {
    signalPidfd(keeper, SIGKILL)
  } finally {
    closeSync(keeper)
  }
}

function supervise(
  options: AdoptOptions | StartOptions,
  record: ProcessRecord,
  keeperPidfd: number,
  streams: DaemonStreams,
): Running {
  const { stdout, stderr: errors } = streams
  const stderr = record.terminal ? undefined : errors
  const spool =
    options.folder === undefined ? undefined : openSpool(options.folder, { stdout, stderr }, record.terminal)
  let control = streams.control
  const closeStdin = () => {
    if (control === undefined) return
    raiseEventFd(control)
    closeSync(control)
    if (streams.stdin !== undefined) closeSync(streams.stdin)
    control = undefined
  }
  const watched = options.poll.watch({
    pidfd: keeperPidfd,
    // An exec session's output is its client's: it ends with its keeper.
    kept: spool && { pidfd: openIfSame(record.pid, record.startTime), releaseFd: streams.release },
    captures: spool?.captures,
    indexFd: spool?.indexFd,
    onBytes: options.onBytes,
    onError: options.onLogError,
    onExit: () => {
      closeStdin()
      options.onExit(finalStatus(options.exitRecordPath))
    },
  })
  if (!spool) closeSync(streams.release)
  return {
    record,
    stdinFd: streams.stdin,
    closeStdin,
    follow: watched.follow,
    signal: signalTo(record),
    ...(spool ? {} : { output: { stdout: stdout!, stderr } }),
  }
}

const recordTries = 100
const recordPauseMs = 10

/** The keeper learns of the end when we do, and may still be writing. Never rejects. */
async function lateStatus({ record, exitRecordPath, onLogError }: AdoptOptions): Promise<ExitStatus> {
  try {
    for (let i = 0; i < recordTries; i++) {
      const keeperLives = startTimeOf(record.keeperPid) === record.keeperStartTime
      const status = readExitRecord(exitRecordPath)
      if (status) return status
      if (!keeperLives) break
      await sleep(recordPauseMs)
    }
  } catch (error) {
    onLogError?.(messageOf(error))
  }
  return unknownStatus()
}

function finalStatus(path: string): ExitStatus {
  return readExitRecord(path) ?? unknownStatus()
}

function unknownStatus(): ExitStatus {
  return {
    exitCode: unknownExitCode,
    finishedAtNs: Temporal.Now.instant().epochNanoseconds,
    userUs: 0,
    systemUs: 0,
    maxRssBytes: 0,
  }
}

function openIfSame(pid: number, startTime: number | undefined): number | undefined {
  if (startTime === undefined || startTimeOf(pid) !== startTime) return undefined
  try {
    const pidfd = openPidfd(pid)
    if (startTimeOf(pid) === startTime) return pidfd
    closeSync(pidfd)
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error
  }
  // It ended, and its number was perhaps given away, between the look and the opening.
  return undefined
}

function signalTo(record: ProcessRecord): (signal: number) => boolean {
  return (signal) => {
    const pidfd = openIfSame(record.pid, record.startTime)
    if (pidfd === undefined) return false
    try {
      return signalPidfd(pidfd, signal)
    } finally {
      closeSync(pidfd)
    }
  }
}
