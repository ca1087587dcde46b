/** Processes by descriptor: pidfds name one process for ever, where a pid may be another's tomorrow. */
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { errnoOf } from '../../shared/errors.ts'
import { hostArch } from './arch.ts'
import { P_PIDFD, WEXITED, WNOHANG } from './constants.ts'
import { addressOf, rawCall } from './libc.ts'

/** @throws ESRCH where there is no such process */
export function openPidfd(pid: number): number {
  return rawCall('pidfd_open', hostArch().numbers.pidfd_open!, pid, 0)
}

/** A copy, in this process, of another process's descriptor (pidfd_getfd(2)); close-on-exec. */
export function takeFdOf(pidfd: number, fd: number): number {
  return rawCall('pidfd_getfd', hostArch().numbers.pidfd_getfd!, pidfd, fd, 0)
}

/** Sends a signal. @returns false where the process is gone */
export function signalPidfd(pidfd: number, signal: number): boolean {
  try {
    rawCall('pidfd_send_signal', hostArch().numbers.pidfd_send_signal!, pidfd, signal, 0, 0)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw error
  }
}

/**
 * Reaps a child that has ended.
 * @returns its wait status (exit code, or 128 + signal), or undefined while it runs or where it is not ours
 */
export function reapPidfd(pidfd: number): number | undefined {
  const info = Buffer.alloc(128)
  try {
    rawCall('waitid', hostArch().numbers.waitid!, P_PIDFD, pidfd, addressOf(info), WEXITED | WNOHANG, 0)
  } catch (error) {
    if (errnoOf(error) === 'ECHILD') return undefined
    throw error
  }
  const pid = info.readInt32LE(16)
  if (pid === 0) return undefined
  const CLD_EXITED = 1
  return info.readInt32LE(8) === CLD_EXITED ? info.readInt32LE(24) : 128 + info.readInt32LE(24)
}

/**
 * When a process began, in clock ticks since boot: with the pid and the boot it names a process for ever.
 * Undefined where there is none.
 */
export function startTimeOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19])
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined
    throw error
  }
}

/** Running processes with this first argument, and their arguments. */
export function processesNamed(name: string): { pid: number; args: string[] }[] {
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return []
    try {
      const args = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0').slice(0, -1)
      return args[0] === name ? [{ pid: Number(entry), args }] : []
    } catch (error) {
      // It ended while we looked.
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return []
      throw error
    }
  })
}

/** This boot's name. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

export const SIGKILL = constants.signals.SIGKILL
