/**
 * What goes between sqlite.ts and its thread.
 */
import type { Batch, Transaction } from './store.ts'

/** The thread's first message. */
export type Opened =
  | { revision: number; compacted: number; leases: { id: string; ttlMs: number }[] }
  | { why: string }

export type Request =
  | { op: 'get'; key: string; revision?: number | undefined }
  | { op: 'list'; prefix: string; revision?: number; after?: string; limit?: number }
  | { op: 'commit'; transaction: Transaction }
  | { op: 'batches'; from: number }
  | { op: 'lease'; id: string; ttlMs: number }
  | { op: 'revoke'; id: string }
  | { op: 'compact'; revision: number }
  | { op: 'stats' }
  | { op: 'close' }

/**
 * What a commit made: for each operation the revision that made its key, 0 where it changed nothing (the
 * asker has the operations). A lease's end sends the batch itself.
 */
export type Made = { revision: number; created: number[] } | { batch: Batch }

export type Reply =
  | { id: number; value: unknown }
  | { id: number; value: unknown; made: Made }
  | { id: number; why: string }
  | { id: number; lost: { revision: number; compacted: number } }
