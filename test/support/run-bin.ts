import { spawn } from 'node:child_process'
import { join } from 'node:path'

export interface BinResult {
  code: number | null
  stdout: string
  stderr: string
  ms: number
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv
  stdin?: string
  timeoutMs?: number
  cwd?: string
  /** Words before the command, such as setpriv's. */
  command?: string[]
}

/**
 * Runs one of the package's commands as a user does, and waits for its end.
 * @throws when it takes longer than `timeoutMs` (60 s unless given)
 */
export async function runBin(
  bin: 'tsmachine' | 'tshost' | 'tsswarm',
  args: string[],
  options: RunOptions = {},
): Promise<BinResult> {
  const start = performance.now()
  const path = join(import.meta.dirname, '../../bin', `${bin}.js`)
  const [command, ...words] = [...(options.command ?? []), path, ...args]
  const child = spawn(command!, words, {
    env: { ...process.env, ...options.env },
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  child.stdin.end(options.stdin ?? '')
  const timeoutMs = options.timeoutMs ?? 60_000
  const limit = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  const [stdout, stderr, code] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve)),
  ])
  clearTimeout(limit)
  const ms = performance.now() - start
  if (ms > timeoutMs)
    throw new Error(`${bin} ${args.join(' ')} took over ${timeoutMs} ms\n${stdout}${stderr}`)
  return { code, stdout, stderr, ms }
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString('utf8')
}
