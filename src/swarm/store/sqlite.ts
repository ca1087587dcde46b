/**
 * The store of a single manager: one SQLite file, kept by a thread of its own (sqlite-thread.ts), since SQLite
 * blocks. Commits that wait together share one fsync; none is acknowledged before it.
 */
import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { messageOf } from '../../shared/errors.ts'
import { openWorker } from '../../shared/worker.ts'
import { type Context, systemContext } from '../context.ts'
import { fail } from '../errors.ts'
import { assertKept, ChangeLog } from './change-log.ts'
import { LeaseTimers } from './leases.ts'
import type { Opened, Reply, Request } from './sqlite-messages.ts'
import type { Batch, Change, Entry, ListOptions, Outcome, Store, StoreStats, Transaction } from './store.ts'

export interface SqliteStoreOptions extends Pick<Context, 'clock' | 'newId'> {
  /** Batches kept in memory for watches; older ones are read from the file. */
  logLimit: number
}

/**
 * Opens the file, or makes it (mode 0600).
 * @throws E_STATE_UNREADABLE when the file can't be opened or is no such store
 */
export async function openSqliteStore(
  path: string,
  options: Partial<SqliteStoreOptions> = {},
): Promise<Store> {
  const worker = openWorker('sqlite-thread', import.meta.url, { workerData: { path } })
  worker.unref()
  const [opened] = (await once(worker, 'message')) as [Opened]
  if ('why' in opened) {
    await worker.terminate()
    throw fail('E_STATE_UNREADABLE', { path, why: opened.why })
  }
  return new SqliteStore(worker, opened, { ...systemContext(), logLimit: 10_000, ...options })
}

interface Waiting {
  resolve: (value: never) => void
  reject: (error: Error) => void
  transaction?: Transaction
}

class SqliteStore implements Store {
  readonly #worker: Worker
  readonly #log: ChangeLog
  readonly #leases: LeaseTimers
  readonly #newId: () => string
  readonly #waiting = new Map<number, Waiting>()
  #nextRequest = 1
  #compacted: number
  #closed = false

  constructor(worker: Worker, opened: Extract<Opened, { revision: number }>, options: SqliteStoreOptions) {
    this.#worker = worker
    this.#newId = options.newId
    this.#compacted = opened.compacted
    this.#log = new ChangeLog(opened.revision, options.logLimit)
    this.#leases = new LeaseTimers(options.clock, (lease) => this.#expire(lease))
    for (const { id, ttlMs } of opened.leases) this.#leases.start(id, ttlMs)
    worker.on('message', (replies: Reply[]) => this.#receive(replies))
    worker.on('error', (error) => this.#abandon(fail('E_STORE_FAILED', { why: messageOf(error) }, error)))
    worker.on('exit', () => this.#abandon(fail('E_STORE_FAILED', { why: 'its thread has ended' })))
  }

  get(key: string, revision?: number): Promise<Entry | undefined> {
    return this.#ask({ op: 'get', key, revision })
  }

  list(prefix: string, options: ListOptions = {}): Promise<{ revision: number; entries: Entry[] }> {
    return this.#ask({ op: 'list', prefix, ...options })
  }

  commit(transaction: Transaction): Promise<Outcome> {
    return this.#ask({ op: 'commit', transaction }, transaction)
  }

  watch(prefix: string, options: { from: number; signal?: AbortSignal }): AsyncIterable<Batch> {
    if (this.#closed) throw fail('E_STORE_CLOSED', {})
    assertKept(options.from, this.#compacted)
    return this.#log.watch(prefix, options, (from) => this.#ask({ op: 'batches', from }))
  }

  async grantLease(ttlMs: number): Promise<string> {
    const id = this.#newId()
    await this.#ask({ op: 'lease', id, ttlMs })
    this.#leases.start(id, ttlMs)
    return id
  }

  async renewLease(lease: string): Promise<boolean> {
    if (this.#closed) throw fail('E_STORE_CLOSED', {})
    return this.#leases.renew(lease)
  }

  async revokeLease(lease: string): Promise<void> {
    this.#leases.stop(lease)
    await this.#ask({ op: 'revoke', id: lease })
  }

  async compact(revision: number): Promise<void> {
    this.#compacted = await this.#ask<number>({ op: 'compact', revision })
    this.#log.forget(this.#compacted)
  }

  stats(): Promise<StoreStats> {
    return this.#ask({ op: 'stats' })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    const done = this.#ask({ op: 'close' })
    this.#closed = true
    this.#leases.close()
    this.#log.close()
    await done
    await this.#worker.terminate()
  }

  #ask<T>(request: Request, transaction?: Transaction): Promise<T> {
    if (this.#closed) return Promise.reject(fail('E_STORE_CLOSED', {}))
    const id = this.#nextRequest++
    // The process must live while it waits for the thread, and must not be held up by it otherwise.
    if (this.#waiting.size === 0) this.#worker.ref()
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, ...(transaction && { transaction }) })
      this.#worker.postMessage({ id, request })
    })
  }

  /** Takes the answers of one group: batches first, so that who awaits a commit finds its watch woken. */
  #receive(replies: Reply[]): void {
    this.#log.append(replies.flatMap((reply) => this.#batchOf(reply) ?? []))
    for (const reply of replies) {
      const waiting = this.#waiting.get(reply.id)
      if (!waiting) continue
      this.#waiting.delete(reply.id)
      if ('why' in reply) waiting.reject(fail('E_STORE_FAILED', { why: reply.why }))
      else if ('lost' in reply) waiting.reject(fail('E_STORE_COMPACTED', reply.lost))
      else waiting.resolve(reply.value as never)
    }
    if (this.#waiting.size === 0) this.#worker.unref()
  }

  #batchOf(reply: Reply): Batch | undefined {
    if (!('made' in reply)) return undefined
    if ('batch' in reply.made) return reply.made.batch
    const transaction = this.#waiting.get(reply.id)!.transaction!
    return { revision: reply.made.revision, changes: changesOf(transaction, reply.made.created) }
  }

  /** The thread is gone. After close() it should be. */
  #abandon(error: Error): void {
    if (!this.#closed) this.#log.close(error)
    this.#closed = true
    this.#leases.close()
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  /** A lease that can't be deleted now, since the disk is full perhaps, is tried again a second later. */
  #expire(lease: string): void {
    if (this.#closed) return
    this.#ask({ op: 'revoke', id: lease }).catch(() => {
      if (!this.#closed) this.#leases.start(lease, 1000)
    })
  }
}

/** The changes of a commit, as its batch shows them. */
function changesOf(transaction: Transaction, created: number[]): Change[] {
  return transaction.write.flatMap((operation, i) => {
    const made = created[i]!
    if (made === 0) return []
    if ('put' in operation) return [{ key: operation.put, value: operation.value, created: made }]
    return [{ key: operation.delete, created: made }]
  })
}
