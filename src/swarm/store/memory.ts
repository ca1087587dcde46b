/**
 * A store that lives in this process alone: for tests and simulations. Nothing is durable.
 */
import { type Context, systemContext } from '../context.ts'
import { fail } from '../errors.ts'
import { assertKept, ChangeLog } from './change-log.ts'
import { LeaseTimers } from './leases.ts'
import type { Batch, Change, Entry, ListOptions, Outcome, Store, StoreStats, Transaction } from './store.ts'

interface Version {
  modified: number
  created: number
  value?: string
  lease?: string
}

export function openMemoryStore(context: Pick<Context, 'clock' | 'newId'> = systemContext()): Store {
  return new MemoryStore(context)
}

class MemoryStore implements Store {
  /** Versions of each key, oldest first; a deleted key keeps a version without value until compaction. */
  readonly #keys = new Map<string, Version[]>()
  readonly #log = new ChangeLog(0, Number.POSITIVE_INFINITY)
  readonly #leases: LeaseTimers
  readonly #newId: () => string
  #revision = 0
  #compacted = 0
  #closed = false

  constructor({ clock, newId }: Pick<Context, 'clock' | 'newId'>) {
    this.#newId = newId
    this.#leases = new LeaseTimers(clock, (lease) => this.#deleteLeased(lease))
  }

  async get(key: string, revision?: number): Promise<Entry | undefined> {
    this.#assertReadable(revision)
    return this.#entryAt(key, revision)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<{ revision: number; entries: Entry[] }> {
    this.#assertReadable(options.revision)
    const after = options.after ?? ''
    const keys = [...this.#keys.keys()].filter((key) => key.startsWith(prefix) && key > after).sort()
    const entries: Entry[] = []
    for (const key of keys) {
      if (options.limit !== undefined && entries.length >= options.limit) break
      const entry = this.#entryAt(key, options.revision)
      if (entry) entries.push(entry)
    }
    return { revision: options.revision ?? this.#revision, entries }
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    this.#assertOpen()
    const failed = (transaction.when ?? [])
      .filter(({ key, modified }) => (this.#entryAt(key)?.modified ?? 0) !== modified)
      .map(({ key }) => key)
    if (failed.length > 0) return { ok: false, revision: this.#revision, failed }
    this.#apply(transaction)
    return { ok: true, revision: this.#revision }
  }

  watch(prefix: string, options: { from: number; signal?: AbortSignal }): AsyncIterable<Batch> {
    this.#assertReadable(options.from)
    return this.#log.watch(prefix, options, async (from) => {
      throw fail('E_STORE_COMPACTED', { revision: from, compacted: this.#compacted })
    })
  }

  async grantLease(ttlMs: number): Promise<string> {
    this.#assertOpen()
    const lease = this.#newId()
    this.#leases.start(lease, ttlMs)
    return lease
  }

  async renewLease(lease: string): Promise<boolean> {
    this.#assertOpen()
    return this.#leases.renew(lease)
  }

  async revokeLease(lease: string): Promise<void> {
    this.#assertOpen()
    this.#leases.stop(lease)
    this.#deleteLeased(lease)
  }

  async compact(revision: number): Promise<void> {
    this.#assertOpen()
    const bound = Math.min(revision, this.#revision)
    if (bound <= this.#compacted) return
    this.#compacted = bound
    this.#log.forget(bound)
    for (const [key, versions] of this.#keys) {
      const newest = versions.findLastIndex((version) => version.modified <= bound)
      if (newest < 0) continue
      const kept = versions.slice(versions[newest]!.value === undefined ? newest + 1 : newest)
      if (kept.length === 0) this.#keys.delete(key)
      else this.#keys.set(key, kept)
    }
  }

  async stats(): Promise<StoreStats> {
    return { revision: this.#revision, compacted: this.#compacted, syncs: 0 }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#leases.close()
    this.#log.close()
  }

  #apply(transaction: Transaction): void {
    const revision = this.#revision + 1
    const changes: Change[] = []
    for (const operation of transaction.write) {
      const key = 'put' in operation ? operation.put : operation.delete
      const old = this.#entryAt(key)
      if ('delete' in operation && !old) continue
      const version: Version = { modified: revision, created: old?.created ?? revision }
      if ('put' in operation) {
        version.value = operation.value
        if (operation.lease !== undefined) version.lease = operation.lease
      }
      const versions = this.#keys.get(key)
      if (versions) versions.push(version)
      else this.#keys.set(key, [version])
      changes.push({ key, created: version.created, ...('put' in operation && { value: operation.value }) })
    }
    if (changes.length === 0) return
    this.#revision = revision
    this.#log.append([{ revision, changes }])
  }

  #deleteLeased(lease: string): void {
    const keys = [...this.#keys]
      .filter(([, versions]) => versions.at(-1)!.lease === lease)
      .map(([key]) => key)
    this.#apply({ write: keys.map((key) => ({ delete: key })) })
  }

  #entryAt(key: string, revision = Number.POSITIVE_INFINITY): Entry | undefined {
    const version = this.#keys.get(key)?.findLast(({ modified }) => modified <= revision)
    if (version?.value === undefined) return undefined
    return { key, value: version.value, created: version.created, modified: version.modified }
  }

  #assertReadable(revision: number | undefined): void {
    this.#assertOpen()
    if (revision !== undefined) assertKept(revision, this.#compacted)
  }

  #assertOpen(): void {
    if (this.#closed) throw fail('E_STORE_CLOSED', {})
  }
}
