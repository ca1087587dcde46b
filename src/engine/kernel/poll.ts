/**
 * One thread waits for everything the kernel may tell us: processes that end and pipes that fill. It has one
 * epoll set, and it also moves the bytes of pipes to files, so that a container that writes much costs the
 * main thread nothing, and one that ends is known to have ended only when its last byte is on the spool.
 */
import { closeSync } from 'node:fs'
import { MessageChannel, type MessagePort, type Worker } from 'node:worker_threads'
import { within } from '../../shared/deadline.ts'
import { openWorker } from '../../shared/worker.ts'
import { makeEventFd, raiseEventFd } from './libc.ts'
import type { Capture, FromPoll, Kept, ToPoll } from './poll-protocol.ts'

export interface WatchOptions {
  /** The process's pidfd; it belongs to the poll thread from now on. */
  pidfd: number
  /** Whom it keeps: the end is told when both have ended, also where the keeper was killed first. */
  kept?: Kept
  captures?: Capture[]
  indexFd?: number
  /** Called when the spool has grown, while `follow(true)` holds. */
  onBytes?: () => void
  /** Called once, when the process has ended and its pipes are empty. */
  onExit: (end: { status?: number }) => void
  /** Capturing failed: a full disk, most likely. The bytes stay in the pipe and it is tried again. */
  onError?: (message: string) => void
}

export interface Watched {
  follow(on: boolean): void
}

export class Poll {
  private readonly worker: Worker
  private readonly port: MessagePort
  private readonly wakeFd: number
  private readonly watches = new Map<number, WatchOptions>()
  private readonly ready: Promise<void>
  private nextId = 1

  constructor() {
    this.wakeFd = makeEventFd()
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.worker = openWorker('poll-thread', import.meta.url, {
      workerData: { port: port2, wakeFd: this.wakeFd },
      transferList: [port2],
    })
    this.ready = new Promise((resolve, reject) => {
      this.worker.once('error', reject)
      this.port.on('message', (message: FromPoll) => {
        if (message.kind === 'ready') resolve()
        else this.receive(message)
      })
    })
  }

  /** Resolves when the thread runs. @throws WaitTimeout */
  async started(): Promise<void> {
    await within('the poll thread', 10_000, this.ready)
  }

  watch(options: WatchOptions): Watched {
    const id = this.nextId++
    this.watches.set(id, options)
    const { pidfd, kept, captures = [], indexFd } = options
    this.send({ kind: 'watch', watch: { id, pidfd, kept, captures, indexFd } })
    return { follow: (on) => this.send({ kind: 'follow', id, on }) }
  }

  /** Ends the thread; what is watched is forgotten, its descriptors are closed. */
  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.worker.once('exit', resolve))
    this.send({ kind: 'stop' })
    await within('the poll thread to end', 10_000, ended)
    this.port.close()
    closeSync(this.wakeFd)
  }

  private receive(message: Exclude<FromPoll, { kind: 'ready' }>): void {
    const options = this.watches.get(message.id)
    if (message.kind === 'bytes') options?.onBytes?.()
    else if (message.kind === 'error') options?.onError?.(message.message)
    else {
      this.watches.delete(message.id)
      options?.onExit({ status: message.status })
    }
  }

  private send(message: ToPoll): void {
    this.port.postMessage(message)
    raiseEventFd(this.wakeFd)
  }
}
