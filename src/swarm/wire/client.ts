/**
 * A worker's stream as its daemon sees it: up with a number, messages, down.
 */
import { within } from '../../shared/deadline.ts'
import { type ClientEvent, type ClientOptions, type ClientOrder, runClient } from './client-loop.ts'
import type { ToManager, ToWorker } from './messages.ts'
import { type Far, startHere, startThread } from './port.ts'
import type { Certificates } from './server-loop.ts'

export interface ClientListener {
  /** A stream is open; the worker speaks first. */
  up(stream: { manager: string; localAddress: string }): void
  received(message: ToWorker): void
  /** No stream now; a new one is tried until stop(). */
  down(why: string): void
  /** The thread itself died. */
  failed(error: Error): void
}

export interface WireClientOptions extends ClientOptions {
  /** False runs the socket in this thread, for tests and for many nodes in one process. */
  ownThread?: boolean
}

export class WireClient {
  readonly #far: Far<ClientOrder, ClientEvent>
  readonly #listener: ClientListener
  readonly #stopped = Promise.withResolvers<void>()
  #connection: number | undefined

  constructor(options: WireClientOptions, listener: ClientListener) {
    const { ownThread = true, ...data } = options
    this.#listener = listener
    this.#far = ownThread
      ? startThread('client-thread', import.meta.url, data, (error) => listener.failed(error))
      : startHere((port) => runClient(data, port))
    this.#far.listen((event) => this.#hear(event))
  }

  /** Sends on the stream that is up; without one the message is lost, and `up` is the time to say it again. */
  send(message: ToManager): void {
    if (this.#connection === undefined) return
    this.#far.send({ do: 'send', connection: this.#connection, text: JSON.stringify(message) })
  }

  redial(): void {
    this.#far.send({ do: 'redial' })
  }

  setTiming(periodMs: number, graceMs: number): void {
    this.#far.send({ do: 'timing', periodMs, graceMs })
  }

  setManagers(managers: string[]): void {
    this.#far.send({ do: 'managers', managers })
  }

  setCertificates(certificates: Certificates): void {
    this.#far.send({ do: 'certificates', certificates })
  }

  async stop(): Promise<void> {
    this.#connection = undefined
    this.#far.send({ do: 'stop' })
    await within(
      'the stream to the manager to close',
      5000,
      Promise.race([this.#stopped.promise, this.#far.ended]),
    )
    await this.#far.close()
  }

  #hear(event: ClientEvent): void {
    switch (event.on) {
      case 'up':
        this.#connection = event.connection
        this.#listener.up(event)
        break
      case 'frame':
        if (event.connection === this.#connection) {
          this.#listener.received(JSON.parse(event.text) as ToWorker)
        }
        break
      case 'down':
        this.#connection = undefined
        this.#listener.down(event.why)
        break
      case 'stopped':
        this.#stopped.resolve()
        break
    }
  }
}
