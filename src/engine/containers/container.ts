/** A container in memory: its record, what runs of it, and who waits for it. */
import { EventEmitter } from 'node:events'
import type { Growth } from '../runtime/logs/reader.ts'
import { type SpoolPaths, spoolPaths } from '../runtime/logs/spool.ts'
import type { Running } from '../runtime/running.ts'
import type { InputWriter } from './input.ts'
import type { ContainerRecord } from './record.ts'

interface Signals {
  /** A run has begun. */
  started: []
  /** The spool has grown. */
  bytes: []
  /** The run has ended; its output is complete. */
  exit: [exitCode: number]
  /** It is gone for good. */
  removed: [exitCode: number]
}

export class Container {
  record: ContainerRecord
  /** Of the current run. */
  running?: Running
  input?: InputWriter
  /** The restart that is due, if any. */
  restartTimer?: NodeJS.Timeout
  /** Consecutive restarts, for the growing delay. */
  restartDelayMs = 0
  readonly folder: string
  readonly signals = new EventEmitter<Signals>()
  private followers = 0
  private queue: Promise<unknown> = Promise.resolve()

  constructor(record: ContainerRecord, folder: string) {
    this.record = record
    this.folder = folder
    this.signals.setMaxListeners(0)
  }

  get id(): string {
    return this.record.id
  }

  get logs(): SpoolPaths {
    return spoolPaths(this.folder)
  }

  get exitRecordPath(): string {
    return `${this.folder}/exit`
  }

  get isRunning(): boolean {
    return this.record.state.status === 'running' || this.record.state.status === 'paused'
  }

  /** Start, stop and remove of one container come one after the other. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.queue.then(work, work)
    this.queue = result.catch(() => undefined)
    return result
  }

  /**
   * New output, as it comes, until the container's next exit or its removal. The caller ends it by `stop`.
   */
  watchOutput(): Growth & { stop: () => void } {
    let grown = false
    let ended = false
    let wake: (() => void) | undefined
    const onBytes = () => {
      grown = true
      wake?.()
    }
    const onEnd = () => {
      ended = true
      wake?.()
    }
    this.signals.on('bytes', onBytes)
    this.signals.once('exit', onEnd)
    this.signals.once('removed', onEnd)
    if (this.followers++ === 0) this.running?.follow(true)
    return {
      next: async (signal) => {
        if (!grown && !ended && !signal?.aborted) {
          await new Promise<void>((resolve) => {
            wake = resolve
            signal?.addEventListener('abort', () => resolve(), { once: true })
          })
          wake = undefined
        }
        if (grown) {
          grown = false
          return true
        }
        return false
      },
      stop: () => {
        this.signals.off('bytes', onBytes)
        this.signals.off('exit', onEnd)
        this.signals.off('removed', onEnd)
        if (--this.followers === 0) this.running?.follow(false)
      },
    }
  }

  /** The end of the current run. */
  nextExit(): { promise: Promise<number>; cancel: () => void } {
    let onExit: (code: number) => void = () => undefined
    const promise = new Promise<number>((resolve) => {
      onExit = resolve
      this.signals.once('exit', onExit)
    })
    return { promise, cancel: () => this.signals.off('exit', onExit) }
  }

  /** A new run has begun: those who follow already want its output too. */
  runBegan(running: Running): void {
    this.running = running
    if (this.followers > 0) running.follow(true)
    this.signals.emit('started')
  }
}
