/**
 * Which process a host's init is, told so surely that a reused pid or a reboot is not mistaken for it.
 */
import { readFile } from 'node:fs/promises'
import { errnoOf } from '../../../shared/errors.ts'

export interface ProcessIdentity {
  pid: number
  /** Clock ticks from boot to its start, as /proc has it. */
  startTime: string
  bootId: string
}

/** @throws when there is no such process */
export async function identify(pid: number): Promise<ProcessIdentity> {
  const { startTime } = parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'))
  return { pid, startTime, bootId: await bootId() }
}

/** Whether this very process lives; one that has ended and is not yet waited for does not. */
export async function isAlive(identity: ProcessIdentity | undefined): Promise<boolean> {
  if (!identity || identity.bootId !== (await bootId())) return false
  try {
    const { startTime, state } = parseStat(await readFile(`/proc/${identity.pid}/stat`, 'utf8'))
    return startTime === identity.startTime && state !== 'Z' && state !== 'X'
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false
    throw error
  }
}

/** Fields after the command's name, which may hold blanks and parentheses itself. */
export function parseStat(text: string): { state: string; startTime: string } {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0]!, startTime: fields[19]! }
}

async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}
