/**
 * What the swarm's state is kept in.
 *
 * One ordered sequence of revisions; each commit that changes something makes the next one, and all its
 * changes appear in it together. Implementations (memory.ts, sqlite.ts, later etcd.ts) promise the same, held
 * by test/contract/store.ts:
 * - a commit is all or nothing, and acknowledged only when it is as durable as the store can make it;
 * - a condition compares the revision that last changed a key; 0 means "must be absent". Any mismatch fails
 *   the whole commit and names the keys;
 * - a watch gives every batch after a revision, once, in order, and can be resumed at any revision that
 *   compaction has not reached;
 * - reads see all that was acknowledged before they were asked.
 *
 * Keys are printable ASCII, values are text. The store knows nothing of nodes and services: objects/ does.
 */

export interface Entry {
  key: string
  value: string
  /** Revision that made the key; deleting and making it again counts anew. */
  created: number
  /** Revision that last changed it. */
  modified: number
}

export interface Change {
  key: string
  /** Undefined when the key was deleted. */
  value?: string
  created: number
}

/** All changes of one revision, in the order of the commit's operations; a key occurs once. */
export interface Batch {
  revision: number
  changes: Change[]
}

/** Holds when the key was last changed by exactly this revision; 0: when there is no such key. */
export interface Condition {
  key: string
  modified: number
}

export type Operation = { put: string; value: string; lease?: string } | { delete: string }

export interface Transaction {
  when?: Condition[]
  write: Operation[]
}

export type Outcome =
  | { ok: true; revision: number }
  /** `failed` are the keys whose condition did not hold; `revision` is one at which that was so. */
  | { ok: false; revision: number; failed: string[] }

export interface ListOptions {
  revision?: number
  /** Begin behind this key. */
  after?: string
  limit?: number
}

export interface WatchOptions {
  /** The first batch wanted is that after this revision. */
  from: number
  signal?: AbortSignal
}

export interface StoreStats {
  revision: number
  /** Revisions up to this one can no longer be read or watched from (the newest state of each key can). */
  compacted: number
  /** Times the store made its data durable; several commits may share one. */
  syncs: number
}

/**
 * @throws from any method: E_STORE_CLOSED after close(); E_STORE_FAILED when the medium fails, in which case
 * nothing of the commit was kept
 */
export interface Store {
  /** The key's state now, or at a revision. @throws E_STORE_COMPACTED */
  get(key: string, revision?: number): Promise<Entry | undefined>
  /** Entries whose key begins with `prefix`, by key, with the revision that the list shows. @throws E_STORE_COMPACTED */
  list(prefix: string, options?: ListOptions): Promise<{ revision: number; entries: Entry[] }>
  /** Applies the operations if all conditions hold. No key may occur twice in `write`. */
  commit(transaction: Transaction): Promise<Outcome>
  /**
   * Batches with the changes under `prefix`. Ends when the signal aborts or the store closes.
   * @throws E_STORE_COMPACTED; E_STORE_FAILED when the store is of no use any more
   */
  watch(prefix: string, options: WatchOptions): AsyncIterable<Batch>
  /** A new lease: keys put with it are deleted, in one revision, when it was not renewed for `ttlMs`. */
  grantLease(ttlMs: number): Promise<string>
  /** False when the lease is gone. */
  renewLease(lease: string): Promise<boolean>
  /** Deletes the lease's keys now. */
  revokeLease(lease: string): Promise<void>
  /** Forgets what only matters to readers of revisions before this one. */
  compact(revision: number): Promise<void>
  stats(): Promise<StoreStats>
  close(): Promise<void>
}
