/**
 * QEMU's monitor: lines of JSON over a unix socket. It serves one client at a time; another one waits for its
 * greeting. https://www.qemu.org/docs/master/interop/qmp-spec.html
 */
import { connect, type Socket } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import { messageOf } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'

interface Message {
  QMP?: object
  return?: unknown
  error?: { class: string; desc: string }
  event?: string
}

export class Monitor {
  readonly #socket: Socket
  readonly #lines: Interface
  readonly #waiting: ((message: Message | Error) => void)[] = []
  #end: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#lines = createInterface({ input: socket })
    const end = (error?: Error) => {
      this.#end ??= error ?? Object.assign(new Error('the monitor was closed'), { code: 'ECONNRESET' })
      for (const settle of this.#waiting.splice(0)) settle(this.#end)
    }
    this.#lines.on('line', (line) => {
      try {
        const message = JSON.parse(line) as Message
        if (message.event === undefined) this.#waiting.shift()?.(message)
      } catch (error) {
        end(error as Error)
      }
    })
    // Both report the socket's error; a readline without a listener would throw it.
    this.#lines.on('error', end)
    socket.on('error', end).on('close', () => end())
  }

  /**
   * @param timeoutMs for connecting and for each command
   * @throws E_QMP
   */
  static async open(path: string, timeoutMs = 5_000): Promise<Monitor> {
    const monitor = new Monitor(connect({ path }))
    try {
      await monitor.#next('its greeting', timeoutMs)
      await monitor.execute('qmp_capabilities', {}, timeoutMs)
      return monitor
    } catch (error) {
      monitor.close()
      throw error
    }
  }

  /** @throws E_QMP */
  async execute<T>(command: string, args: object = {}, timeoutMs = 5_000): Promise<T> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    const answer = await this.#next(command, timeoutMs)
    if (answer.error) throw fail('E_QMP', { what: command, why: answer.error.desc })
    return answer.return as T
  }

  close(): void {
    this.#lines.close()
    this.#socket.destroy()
  }

  /** The next message that is no event. */
  async #next(what: string, timeoutMs: number): Promise<Message> {
    const { promise, resolve } = Promise.withResolvers<Message | Error>()
    if (this.#end) resolve(this.#end)
    this.#waiting.push(resolve)
    const timer = setTimeout(() => resolve(new Error('no answer in time')), timeoutMs)
    const answer = await promise
    clearTimeout(timer)
    if (!(answer instanceof Error)) return answer
    throw fail('E_QMP', { what, why: messageOf(answer) }, answer)
  }
}

/** One command on a connection of its own. @throws E_QMP */
export async function askMonitor<T>(path: string, command: string, timeoutMs = 5_000): Promise<T> {
  const monitor = await Monitor.open(path, timeoutMs)
  try {
    return await monitor.execute<T>(command, {}, timeoutMs)
  } finally {
    monitor.close()
  }
}
