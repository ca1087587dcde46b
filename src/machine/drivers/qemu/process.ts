/**
 * Finding the process of a machine's QEMU. It is known by the machine's UUID in its command line, so one that
 * started a moment before its starter was killed is found, and whoever got its pid later is not mistaken for it.
 */
import { readdir, readFile } from 'node:fs/promises'
import { errnoOf } from '../../../shared/errors.ts'
import { parseStat } from '../local/process.ts'
import { findProgram, runProgram } from '../vm/programs.ts'

export interface VmProcess {
  pid: number
  /** Ticks since boot as /proc has it, or a date as ps prints it; never compared across systems. */
  startTime: string
}

/**
 * The living process of the machine, or undefined.
 * @param known where it was last; looked at first
 */
export async function findVmProcess(uuid: string, known?: VmProcess): Promise<VmProcess | undefined> {
  if (process.platform !== 'linux') return findByPs(uuid)
  const there = known && (await lookAt(String(known.pid), uuid))
  return there ?? findInProc(uuid)
}

/**
 * Ends it at once, if it is still the same process.
 * @returns false where it is gone already
 */
export async function killVmProcess(uuid: string, { pid, startTime }: VmProcess): Promise<boolean> {
  const now = await findVmProcess(uuid, { pid, startTime })
  if (now?.pid !== pid || now.startTime !== startTime) return false
  try {
    process.kill(pid, 'SIGKILL')
    return true
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw error
  }
}

async function findInProc(uuid: string): Promise<VmProcess | undefined> {
  for (const name of await readdir('/proc')) {
    const found = /^\d+$/.test(name) ? await lookAt(name, uuid) : undefined
    if (found) return found
  }
  return undefined
}

async function lookAt(pid: string, uuid: string): Promise<VmProcess | undefined> {
  try {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0')
    if (!isVmCommand(words, uuid)) return undefined
    const { state, startTime } = parseStat(await readFile(`/proc/${pid}/stat`, 'utf8'))
    return state === 'Z' || state === 'X' ? undefined : { pid: Number(pid), startTime }
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES'].includes(errnoOf(error) ?? '')) return undefined
    throw error
  }
}

async function findByPs(uuid: string): Promise<VmProcess | undefined> {
  const ps = findProgram('ps')
  if (!ps) return undefined
  const { stdout } = await runProgram([ps, '-axww', '-o', 'pid=,lstart=,command='], { timeoutMs: 10_000 })
  return parsePs(stdout, uuid)
}

/** A line of `ps -axww -o pid=,lstart=,command=`: "  123 Tue Nov  3 09:14:05 2026 qemu-system-... -uuid ...". */
export function parsePs(text: string, uuid: string): VmProcess | undefined {
  for (const line of text.split('\n')) {
    const [, pid, startTime, command] =
      /^\s*(\d+)\s+(\S+\s+\S+\s+\S+\s+[\d:]+\s+\d{4})\s+(.*)$/.exec(line) ?? []
    if (command && isVmCommand(command.split(' '), uuid)) return { pid: Number(pid), startTime: startTime! }
  }
  return undefined
}

/** Whether it is QEMU itself, and not, say, an editor or a grep with the UUID among its words. */
function isVmCommand(words: readonly string[], uuid: string): boolean {
  return /qemu-system-/.test(words[0] ?? '') && words[words.indexOf('-uuid') + 1] === uuid
}
