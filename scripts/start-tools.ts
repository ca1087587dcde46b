/** What `npm start` is made of: running the commands of this package, and asking a published port. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { waitFor } from '../src/shared/deadline.ts'

/** Who answered a request. */
export interface Heard {
  /** The machine that was asked, and its address. */
  asked: string
  host: string
  /** Where the task runs that answered. */
  node: string
  task: string
  /** Number of the request, as the stack counts them. */
  count: number
}

const bin = join(import.meta.dirname, '../bin')

/**
 * Runs a command of this package, and tells each line that it prints.
 * @returns what it printed
 * @throws what it said on stderr, where it failed
 */
export async function run(name: string, words: string[], tell?: (line: string) => void): Promise<string> {
  const child = spawn(join(bin, `${name}.js`), words, { stdio: ['ignore', 'pipe', 'pipe'] })
  const output: string[] = []
  const errors: string[] = []
  createInterface(child.stdout).on('line', (line) => {
    output.push(line)
    tell?.(line)
  })
  createInterface(child.stderr).on('line', (line) => errors.push(line))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve)
  })
  if (code === 0) return `${output.join('\n')}\n`
  throw new Error(errors.join('\n  ') || `${name} ${words.join(' ')}: exit code ${code}`)
}

const askTimeoutMs = 10_000
const requestTimeoutMs = 4_000

/**
 * Asks a host's published port some times, each over a connection of its own, so that each may reach another
 * task.
 * @throws WaitTimeout where it does not answer within ten seconds
 */
export async function askPort(asked: string, host: string, port: number, times: number): Promise<Heard[]> {
  const url = `http://${host}:${port}/`
  const heard: Heard[] = []
  for (let i = 0; i < times; i++) {
    const answer = await waitFor(`an answer of ${url}`, () => askOnce(url), { timeoutMs: askTimeoutMs })
    heard.push({ asked, host, ...answer })
  }
  return heard
}

async function askOnce(url: string): Promise<Omit<Heard, 'asked' | 'host'>> {
  try {
    const response = await fetch(url, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(requestTimeoutMs),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(text.trim())
    return JSON.parse(text) as Omit<Heard, 'asked' | 'host'>
  } catch (error) {
    throw Object.assign(new Error(`${url}: ${(error as Error).message}`, { cause: error }), {
      retryable: true,
    })
  }
}
