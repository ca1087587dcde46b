/**
 * Outside commands (ip, nft, an OCI runtime, ...): the only door to them, always with a limit.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fail } from '../../errors.ts'

export interface ToolOptions {
  stdin?: string
  /** 20 s when left out. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** Runs commands; tests put a recorder in its place. */
export type RunTool = (argv: readonly string[], options?: ToolOptions) => Promise<string>

/**
 * The stdout of a command that must succeed.
 * @throws E_TOOL with the last line of its stderr
 */
export const runTool: RunTool = (argv, options = {}) => {
  const [command, ...args] = argv as [string, ...string[]]
  return new Promise((resolve, reject) => {
    const child = execFile(
      findCommand(command) ?? command,
      args,
      {
        timeout: options.timeoutMs ?? 20_000,
        signal: options.signal,
        maxBuffer: 16 * 1024 * 1024,
        env: toolEnv(),
      },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        if (options.signal?.aborted) return reject(options.signal.reason)
        const why = stderr.trim().split('\n').at(-1) || (error.killed ? 'no end in time' : error.message)
        reject(fail('E_TOOL', { command: argv.slice(0, 3).join(' '), why }, error))
      },
    )
    // A command that ends without reading its input breaks the pipe; its exit code says why.
    child.stdin?.on('error', () => {}).end(options.stdin ?? '')
  })
}

/** Users' PATHs often lack the folders of the administrator's commands. */
const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** The path of a command, or undefined where this machine lacks it. */
export function findCommand(name: string): string | undefined {
  if (name.includes('/')) return existsSync(name) ? name : undefined
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** What the tools say must not depend on the user's language. */
function toolEnv(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C', PATH: folders.join(':') }
}
