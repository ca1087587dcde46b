/**
 * A worker's socket to a manager: dials, comes back after a loss, beats. On a thread of its own, so that a
 * busy daemon is not taken for a dead host.
 */
import { connect, type TLSSocket } from 'node:tls'
import type { MessagePort } from 'node:worker_threads'
import { messageOf } from '../../shared/errors.ts'
import { splitAddress } from './address.ts'
import { encodeFrame, FrameReader, largestFrame } from './frames.ts'
import { Liveness } from './liveness.ts'
import { beat } from './messages.ts'
import type { Certificates } from './server-loop.ts'

export interface ClientOptions extends Certificates {
  /** HOST:PORT of the managers, tried in turn. */
  managers: string[]
  /** The name that a manager's certificate must have. */
  serverName: string
  periodMs: number
  graceMs: number
}

export type ClientOrder =
  /** Dropped unless the connection is still that one. */
  | { do: 'send'; connection: number; text: string }
  /** Ends the connection and dials again. */
  | { do: 'redial' }
  | { do: 'timing'; periodMs: number; graceMs: number }
  | { do: 'managers'; managers: string[] }
  | { do: 'certificates'; certificates: Certificates }
  | { do: 'stop' }

export type ClientEvent =
  | { on: 'up'; connection: number; manager: string; localAddress: string }
  | { on: 'frame'; connection: number; text: string }
  | { on: 'down'; connection: number; why: string }
  | { on: 'stopped' }

const tickMs = 100
const dialLimitMs = 5000
/** Pauses between two tries, each twice the last, and up to a quarter more so that nodes don't come as one. */
const firstPauseMs = 100
const longestPauseMs = 1600
/** A manager that takes a stream and soon ends it has a reason that will last; it is asked less often. */
const shortLifeMs = 2000
const longestPauseAfterShortLifeMs = 5000

export function runClient(options: ClientOptions, port: MessagePort): void {
  new ClientLoop(options, port).dial()
}

class ClientLoop {
  readonly #port: MessagePort
  #options: ClientOptions
  readonly #liveness = new Liveness(tickMs, performance.now())
  readonly #ticker: NodeJS.Timeout
  #beater: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined
  #socket: TLSSocket | undefined
  #connection = 0
  #isUp = false
  #pauseMs = firstPauseMs
  #upSince = 0
  #tries = 0
  #stopped = false

  constructor(options: ClientOptions, port: MessagePort) {
    this.#options = options
    this.#port = port
    port.on('message', (order: ClientOrder) => this.#obey(order))
    this.#ticker = setInterval(() => this.#tick(), tickMs)
  }

  dial(): void {
    const connection = ++this.#connection
    const manager = this.#options.managers[this.#tries++ % this.#options.managers.length]!
    const { cert, key, ca, serverName } = this.#options
    const { host, port } = splitAddress(manager)
    const socket = connect({ host, port, cert, key, ca, servername: serverName, minVersion: 'TLSv1.3' })
    this.#socket = socket
    let why = 'the manager ended the stream'
    const limit = setTimeout(() => socket.destroy(new Error('no answer')), dialLimitMs)
    socket.on('secureConnect', () => {
      clearTimeout(limit)
      this.#open(connection, socket, manager)
    })
    const reader = new FrameReader(largestFrame)
    socket.on('data', (chunk: Buffer) => this.#read(connection, socket, reader, chunk))
    socket.on('error', (error) => {
      why = messageOf(error)
    })
    socket.on('close', () => {
      clearTimeout(limit)
      this.#lose(connection, `${manager}: ${why}`)
    })
  }

  #open(connection: number, socket: TLSSocket, manager: string): void {
    socket.setNoDelay(true)
    this.#isUp = true
    this.#upSince = performance.now()
    this.#liveness.expect('manager', performance.now(), this.#options.graceMs)
    this.#startBeats()
    const localAddress = (socket.localAddress ?? '').replace(/^::ffff:/, '')
    this.#tell({ on: 'up', connection, manager, localAddress })
  }

  #startBeats(): void {
    clearInterval(this.#beater)
    this.#beater = setInterval(() => this.#write(beat), this.#options.periodMs)
  }

  #read(connection: number, socket: TLSSocket, reader: FrameReader, chunk: Buffer): void {
    let frames: string[]
    try {
      frames = reader.push(chunk)
    } catch (error) {
      socket.destroy(error as Error)
      return
    }
    this.#liveness.heard('manager', performance.now(), this.#options.graceMs)
    for (const text of frames) if (text !== beat) this.#tell({ on: 'frame', connection, text })
  }

  #lose(connection: number, why: string): void {
    if (connection !== this.#connection) return
    this.#liveness.forget('manager')
    clearInterval(this.#beater)
    this.#tell({ on: 'down', connection, why })
    const wasUp = this.#isUp
    this.#isUp = false
    this.#socket = undefined
    if (this.#stopped) return
    if (wasUp && performance.now() - this.#upSince > shortLifeMs) this.#pauseMs = firstPauseMs
    this.#retry = setTimeout(() => this.dial(), this.#pauseMs * (1 + Math.random() / 4))
    const longest = wasUp ? longestPauseAfterShortLifeMs : longestPauseMs
    this.#pauseMs = Math.min(this.#pauseMs * 2, longest)
  }

  #obey(order: ClientOrder): void {
    switch (order.do) {
      case 'send':
        if (order.connection === this.#connection) this.#write(order.text)
        break
      case 'redial':
        this.#socket?.destroy()
        break
      case 'timing':
        this.#options = { ...this.#options, periodMs: order.periodMs, graceMs: order.graceMs }
        if (this.#isUp) this.#startBeats()
        break
      case 'managers':
        this.#options = { ...this.#options, managers: order.managers }
        break
      case 'certificates':
        this.#options = { ...this.#options, ...order.certificates }
        break
      case 'stop':
        this.#stop()
        break
    }
  }

  #write(text: string): void {
    if (this.#isUp) this.#socket?.write(encodeFrame(text))
  }

  #tick(): void {
    if (this.#liveness.tick(performance.now()).length > 0) {
      this.#socket?.destroy(new Error('no answer to beats'))
    }
  }

  #stop(): void {
    this.#stopped = true
    clearInterval(this.#ticker)
    clearInterval(this.#beater)
    clearTimeout(this.#retry)
    this.#socket?.destroy()
    this.#tell({ on: 'stopped' })
    this.#port.close()
  }

  #tell(event: ClientEvent): void {
    this.#port.postMessage(event)
  }
}
