/**
 * The store's side of the unpacking thread. The thread starts with the first task and ends when it has had
 * none for a while: an engine that runs containers has no use for it.
 */
import type { Worker } from 'node:worker_threads'
import { Failure, messageOf } from '../../../shared/errors.ts'
import { openWorker } from '../../../shared/worker.ts'
import { fail } from '../errors.ts'
import type { Unpacked, UnpackJob, UnpackProgress } from './unpack.ts'
import type { FromThread, PlainFailure, Task, ToThread } from './unpack-protocol.ts'

interface Waiting {
  resolve: (unpacked: Unpacked | undefined) => void
  reject: (error: unknown) => void
  onProgress?: UnpackProgress
}

const idleMs = 10_000

export class Unpacker {
  #worker: Worker | undefined
  #waiting = new Map<number, Waiting>()
  #nextId = 1
  #idle: NodeJS.Timeout | undefined

  /** @throws what `unpackLayer` throws, E_UNPACK_THREAD */
  async unpack(job: UnpackJob, onProgress?: UnpackProgress): Promise<Unpacked> {
    const unpacked = await this.#run({ kind: 'unpack', ...job }, onProgress)
    if (!unpacked) throw fail('E_UNPACK_THREAD', { problem: 'it gave no result' })
    return unpacked
  }

  /** Removes a folder and all in it; nothing where there is none. */
  async remove(folder: string): Promise<void> {
    await this.#run({ kind: 'remove', folder })
  }

  /**
   * Copies a folder of a root into an empty one. See `copyFromRoot`.
   * @param layers folders, highest first
   * @throws E_STORE_FULL, E_STORE_IO
   */
  async copy(layers: string[], path: string, folder: string): Promise<void> {
    await this.#run({ kind: 'copy', layers, path, folder })
  }

  /** Writes all of the folder's file system to its disk (syncfs(2)). */
  async sync(folder: string): Promise<void> {
    await this.#run({ kind: 'sync', folder })
  }

  /** Ends the thread; tasks that wait fail. */
  async stop(): Promise<void> {
    clearTimeout(this.#idle)
    await this.#worker?.terminate()
  }

  async #run(task: Task, onProgress?: UnpackProgress): Promise<Unpacked | undefined> {
    clearTimeout(this.#idle)
    const worker = this.#start()
    const id = this.#nextId++
    worker.ref()
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject, onProgress })
        worker.postMessage({ id, task } satisfies ToThread)
      })
    } finally {
      this.#waiting.delete(id)
      if (this.#waiting.size === 0 && this.#worker === worker) this.#rest(worker)
    }
  }

  #rest(worker: Worker): void {
    worker.unref()
    this.#idle = setTimeout(() => {
      this.#worker = undefined
      void worker.terminate()
    }, idleMs)
    this.#idle.unref()
  }

  #start(): Worker {
    if (this.#worker) return this.#worker
    const worker = openWorker('unpack-thread', import.meta.url)
    this.#worker = worker
    let cause: unknown
    worker.on('message', (message: FromThread) => this.#receive(message))
    worker.on('error', (error) => {
      cause = error
    })
    worker.on('exit', (code) => {
      if (this.#worker === worker) this.#worker = undefined
      const problem = cause === undefined ? `exit code ${code}` : messageOf(cause)
      for (const waiting of this.#waiting.values()) {
        waiting.reject(fail('E_UNPACK_THREAD', { problem }, cause))
      }
    })
    return worker
  }

  #receive(message: FromThread): void {
    const waiting = this.#waiting.get(message.id)
    if (message.kind === 'progress') waiting?.onProgress?.(message.current, message.total)
    else if (message.kind === 'done') waiting?.resolve(message.unpacked)
    else waiting?.reject(revive(message.failure))
  }
}

function revive(plain: PlainFailure): Failure {
  const row = {
    kind: plain.kind,
    exit: plain.exit,
    http: plain.http,
    retryable: plain.retryable,
    text: () => plain.message,
  }
  const cause = plain.cause === undefined ? undefined : new Error(plain.cause)
  return new Failure(plain.code, row, plain.message, plain.next, cause)
}
