/**
 * An open SSH connection: commands as argument lists, their exact exit codes, files by SFTP.
 */
import { constants } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Client, ClientChannel, PseudoTtyOptions, SFTPWrapper } from 'ssh2'
import { orAborted, within } from '../../shared/deadline.ts'
import { isFailure, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { SshTarget } from './connect.ts'
import { quoteArgs } from './quote.ts'

export interface ExecOptions {
  /** What goes to the command's stdin. */
  stdin?: string | Uint8Array | Readable
  /** The whole run's limit; two minutes when left out. */
  timeoutMs?: number
  signal?: AbortSignal
}

export interface ExecResult {
  /** 128 and the signal's number for a command that was killed, as shells have it. */
  code: number
  stdout: string
  stderr: string
}

/** A command that runs on the host. */
export interface RunningCommand {
  channel: ClientChannel
  /** Its exit code. @throws E_SSH_LOST when the connection breaks before it ends */
  exit: Promise<number>
}

export class SshConnection {
  readonly target: SshTarget
  /** The key that the host showed, as a known_hosts line has it. */
  readonly hostKey: string
  readonly #client: Client
  #closed = false
  /** What broke the connection, where it was told. */
  #cause: Error | undefined

  constructor(client: Client, target: SshTarget, hostKey: string) {
    this.#client = client
    this.target = target
    this.hostKey = hostKey
    client.on('close', () => {
      this.#closed = true
    })
    // Whoever uses the connection sees it close; without a listener an error would end the process.
    client.on('error', (error) => {
      this.#closed = true
      this.#cause = error
    })
  }

  get isOpen(): boolean {
    return !this.#closed
  }

  /**
   * Runs a command to its end.
   * @throws E_SSH_LOST, WaitTimeout, or the signal's reason; never for an exit code
   */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const what = nameOf(argv)
    options.signal?.throwIfAborted()
    const { channel, exit } = await this.start(quoteArgs(argv))
    const result = Promise.all([exit, textOf(channel), textOf(channel.stderr), feed(channel, options.stdin)])
    try {
      const limited = within(`${what} on ${this.target.host}`, options.timeoutMs ?? 120_000, result)
      const [code, stdout, stderr] = await orAborted(options.signal, limited)
      return { code, stdout, stderr }
    } catch (error) {
      channel.destroy()
      throw error
    }
  }

  /**
   * The stdout of a command that must succeed.
   * @throws E_REMOTE with the last line of its stderr
   */
  async run(argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(argv, options)
    if (result.code === 0) return result.stdout
    throw this.failure(argv[0]!, result)
  }

  /** The failure of a command whose exit code was not zero. */
  failure(command: string, { code, stderr }: ExecResult): Error {
    const last = stderr.trim().split('\n').at(-1) ?? ''
    return fail('E_REMOTE', { host: this.target.host, command, code, stderr: last })
  }

  /** Writes a file with these permissions from its first byte on. */
  async writeFile(path: string, data: string | Uint8Array, mode: number): Promise<void> {
    await this.#withSftp(`writing ${path}`, (sftp) => {
      return new Promise<void>((resolve, reject) => {
        sftp.writeFile(path, Buffer.from(data), { mode }, (error) => (error ? reject(error) : resolve()))
      })
    })
  }

  /** A command, or the login shell where `command` is left out, with its streams for a person or a pipe. */
  async start(command: string | undefined, pty?: PseudoTtyOptions): Promise<RunningCommand> {
    const what = command ?? 'the shell'
    if (this.#closed) throw this.lost(what)
    return within(
      `${what} to start on ${this.target.host}`,
      30_000,
      new Promise((resolve, reject) => {
        // Listened to at once: a short command's end comes with the very packet that says it has begun.
        const begin = (error: Error | undefined, channel: ClientChannel) => {
          if (error) reject(this.lost(what, error))
          else resolve({ channel, exit: this.#exitOf(channel, what) })
        }
        if (command === undefined) this.#client.shell(pty ?? false, begin)
        else this.#client.exec(command, pty ? { pty } : {}, begin)
      }),
    )
  }

  /** The failure of whatever was underway when the connection broke. */
  lost(during: string, error?: unknown): Error {
    const cause = this.#cause ?? error
    const why = cause === undefined ? 'the host closed it' : messageOf(cause)
    return fail('E_SSH_LOST', { host: this.target.host, during, why }, cause)
  }

  /** Says goodbye and is gone; a second call does nothing. */
  close(): void {
    this.#client.end()
    // end() waits for the other side, which may have gone away.
    setTimeout(() => this.#client.destroy(), 500).unref()
  }

  #exitOf(channel: ClientChannel, what: string): Promise<number> {
    const exit = new Promise<number>((resolve, reject) => {
      let code: number | undefined
      channel.on('exit', (status: number | null, signal?: string) => {
        code = exitCodeOf(status, signal)
      })
      channel.on('close', () => {
        if (code === undefined) reject(this.lost(what))
        else resolve(code)
      })
      channel.on('error', reject)
    })
    // Whoever gave up on the command before its end, by a limit or a signal, does not wait for it any more.
    exit.catch(() => undefined)
    return exit
  }

  async #withSftp<T>(during: string, work: (sftp: SFTPWrapper) => Promise<T>): Promise<T> {
    const { host } = this.target
    const sftp = await new Promise<SFTPWrapper>((resolve, reject) => {
      this.#client.sftp((error, opened) => (error ? reject(error) : resolve(opened)))
    }).catch((error: unknown) => {
      throw this.lost(during, error)
    })
    try {
      return await within(`${during} on ${host}`, 60_000, work(sftp))
    } catch (error) {
      if (isFailure(error)) throw error
      throw fail('E_REMOTE', { host, command: `sftp, ${during}`, code: 1, stderr: messageOf(error) }, error)
    } finally {
      sftp.end()
    }
  }
}

/** What to call a command in messages: a script by the shell's name alone. */
function nameOf(argv: readonly string[]): string {
  return argv[1] === '-c' ? `${argv[0]} script` : argv.slice(0, 3).join(' ')
}

/** The exit code of a command from what SSH says of its end: a number, or a signal's name without SIG. */
function exitCodeOf(status: number | null, signal: string | undefined): number {
  if (status !== null) return status
  const name = signal?.startsWith('SIG') ? signal : `SIG${signal}`
  return 128 + (constants.signals[name as NodeJS.Signals] ?? 0)
}

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

async function feed(channel: Writable, stdin: ExecOptions['stdin']): Promise<void> {
  if (stdin === undefined || typeof stdin === 'string' || stdin instanceof Uint8Array) {
    channel.end(stdin)
    return
  }
  try {
    await pipeline(stdin, channel)
  } catch (error) {
    // A command that ends without reading its input closes the channel; its exit code says why.
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ERR_STREAM_PREMATURE_CLOSE' && code !== 'EPIPE') throw error
  }
}
