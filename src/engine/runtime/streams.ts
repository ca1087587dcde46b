/** The pipes between a container and its keeper. */
import { closeSync, openSync } from 'node:fs'
import { F_SETPIPE_SZ, O_CLOEXEC, O_NONBLOCK } from '../kernel/constants.ts'
import { fcntl, makeEventFd, pipe } from '../kernel/libc.ts'
import { takeFdOf } from '../kernel/process.ts'
import { keeperFd } from './plan/context.ts'

/** How much a container can write while no daemon reads before it must wait. */
const pipeBytes = 1 << 20
const F_GETFL = 3
const F_SETFL = 4

export interface Streams {
  /** Stream of the container -> descriptor here: 0, 1, 2. */
  container: number[]
  /** What the keeper holds: descriptors here for the numbers of the same names in keeperFd. */
  keeper: { stdin: number; stdout: number; stderr: number; control: number; release: number }
}

/**
 * Makes the streams of a container. With a terminal there is nothing to make: the terminal comes later.
 * @param stdin whether anybody may ever write to it; /dev/null otherwise
 */
export function makeStreams(options: { stdin: boolean; terminal: boolean }): Streams {
  const opened: number[] = []
  const keep = <T extends number[]>(fds: T): T => {
    opened.push(...fds)
    return fds
  }
  try {
    const [control, release] = keep([makeEventFd(), makeEventFd()]) as [number, number]
    const openNothing = () => keep([openSync('/dev/null', 'r+')])[0]!
    if (options.terminal) {
      const nothing = openNothing()
      return {
        container: [nothing, nothing, nothing],
        keeper: { stdin: nothing, stdout: nothing, stderr: nothing, control, release },
      }
    }
    const input = options.stdin ? keep(pipe(O_CLOEXEC)) : Array(2).fill(openNothing())
    if (options.stdin) setNonblocking(input[1]!)
    const output = keep(pipe(O_CLOEXEC))
    const errors = keep(pipe(O_CLOEXEC))
    for (const [read] of [output, errors]) {
      fcntl(read, F_SETPIPE_SZ, pipeBytes)
      setNonblocking(read)
    }
    return {
      container: [input[0]!, output[1], errors[1]],
      keeper: { stdin: input[1]!, stdout: output[0], stderr: errors[0], control, release },
    }
  } catch (error) {
    closeAll(opened)
    throw error
  }
}

/** Closes each descriptor once. */
export function closeAll(fds: Iterable<number>): void {
  for (const fd of new Set(fds)) closeSync(fd)
}

/** What a daemon needs of a running container's streams. */
export interface DaemonStreams {
  /** Where input goes: a pipe, or the terminal's master; undefined where there is none. */
  stdin?: number
  stdout?: number
  stderr?: number
  /** Raised to make the keeper close the input too. */
  control?: number
  /** Raised to let the keeper go once its container has ended. */
  release: number
}

/**
 * Gets the keeper's ends: right after the start, or by a new daemon years later.
 * @throws ESRCH where the keeper has ended
 */
export function takeStreams(
  keeperPidfd: number,
  options: { stdin: boolean; terminal: boolean },
): DaemonStreams {
  const taken: number[] = []
  const take = (fd: number) => {
    const mine = takeFdOf(keeperPidfd, fd)
    taken.push(mine)
    return mine
  }
  try {
    if (options.terminal) {
      const master = take(keeperFd.stdin)
      setNonblocking(master)
      return {
        stdin: take(keeperFd.stdin),
        stdout: master,
        control: take(keeperFd.control),
        release: take(keeperFd.release),
      }
    }
    return {
      release: take(keeperFd.release),
      control: take(keeperFd.control),
      stdin: options.stdin ? take(keeperFd.stdin) : undefined,
      stdout: take(keeperFd.stdout),
      stderr: take(keeperFd.stderr),
    }
  } catch (error) {
    closeAll(taken)
    throw error
  }
}

function setNonblocking(fd: number): void {
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL, 0) | O_NONBLOCK)
}
