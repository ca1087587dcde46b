/**
 * Programs of other makers that drivers of virtual machines run, on every system that the client runs on.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { messageOf } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'

/** Where installers put programs without adding the folder to everybody's PATH. */
const usualFolders: Partial<Record<NodeJS.Platform, string[]>> = {
  linux: ['/usr/local/bin', '/usr/bin', '/usr/sbin', '/bin', '/sbin'],
  darwin: ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin', '/usr/bin'],
  win32: ['C:\\Program Files\\qemu', 'C:\\Program Files\\Oracle\\VirtualBox'],
}

/** The path of a program, or undefined where this machine lacks it. */
export function findProgram(name: string): string | undefined {
  if (isAbsolute(name)) return existsSync(name) ? name : undefined
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...(usualFolders[process.platform] ?? [])]
  const file = process.platform === 'win32' ? `${name}.exe` : name
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, file))
    .find((path) => existsSync(path))
}

export interface Finished {
  code: number
  stdout: string
  stderr: string
}

export interface ProgramOptions {
  /** Of the whole run; then SIGTERM, and SIGKILL five seconds later. */
  timeoutMs: number
  signal?: AbortSignal
  env?: NodeJS.ProcessEnv
  cwd?: string
}

/**
 * Runs a program to its end, whatever its exit code.
 * @throws E_TOOL where it can't be started or does not end in time; the signal's reason when aborted
 */
export function runProgram(argv: readonly string[], options: ProgramOptions): Promise<Finished> {
  const [file, ...args] = argv as [string, ...string[]]
  const { timeoutMs, signal, cwd, env } = options
  return new Promise((resolve, reject) => {
    const more = { cwd, env: { ...process.env, ...env }, maxBuffer: 16 * 1024 * 1024 }
    let isLate = false
    const child = execFile(file, args, more, (error, stdout, stderr) => {
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      if (signal?.aborted) return reject(signal.reason)
      const command = argv.slice(0, 3).join(' ')
      if (isLate)
        return reject(fail('E_TOOL', { command, why: `no end within ${timeoutMs / 1000} s` }, error))
      if (error && child.exitCode === null && child.signalCode === null) {
        return reject(fail('E_TOOL', { command, why: messageOf(error) }, error))
      }
      resolve({ code: child.exitCode ?? 128, stdout, stderr })
    })
    const stop = () => void child.kill('SIGTERM')
    const timers = [
      setTimeout(() => {
        isLate = true
        stop()
      }, timeoutMs),
      setTimeout(() => void child.kill('SIGKILL'), timeoutMs + 5_000),
    ]
    signal?.addEventListener('abort', stop, { once: true })
    if (signal?.aborted) stop()
    child.stdin?.on('error', () => {}).end()
  })
}

/** @throws E_PROGRAM_MISSING */
export function requireProgram(name: string, advice: Record<'linux' | 'darwin' | 'win32', string>): string {
  const found = findProgram(name)
  if (found) return found
  const how = advice[process.platform as keyof typeof advice] ?? advice.linux
  throw fail('E_PROGRAM_MISSING', { program: name, how })
}
