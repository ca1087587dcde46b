/**
 * The SQLite file behind the store: an append-only table of changes.
 *
 * A row's id is its revision times 4096 plus its place in the commit, so that the primary key alone gives the
 * order of all changes, and an index over (key, id) gives each key's newest version and that at a revision.
 * Not for use from several threads or processes at once.
 */
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { messageOf } from '../../shared/errors.ts'
import type { Made } from './sqlite-messages.ts'
import type { Batch, Entry, ListOptions, Outcome, Transaction } from './store.ts'

const schemaVersion = 1
/** Operations that one commit can have. */
const perRevision = 4096

interface Row {
  id: number
  key: string
  value: string | null
  created: number
}

export class SqliteFile {
  readonly #db: DatabaseSync
  readonly #newest: StatementSync
  readonly #newestAt: StatementSync
  readonly #insert: StatementSync
  readonly #range: StatementSync
  revision: number
  compacted: number

  constructor(path: string) {
    // SQLite would make the file with the umask's mode; it holds keys and tokens.
    closeSync(openSync(path, 'a', 0o600))
    this.#db = new DatabaseSync(path)
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 1000')
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS changes (
        id INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT, created INTEGER NOT NULL, lease TEXT);
      CREATE INDEX IF NOT EXISTS changes_by_key ON changes (key, id);
      CREATE TABLE IF NOT EXISTS leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL) WITHOUT ROWID;`)
    const version = this.#meta('schema') ?? schemaVersion
    if (version !== schemaVersion)
      throw new Error(`${path} has schema ${version}, this program knows ${schemaVersion}`)
    this.#setMeta('schema', schemaVersion)
    this.compacted = this.#meta('compacted') ?? 0
    this.revision = this.#lastRevision()
    this.#newest = this.#db.prepare(
      'SELECT id, value, created FROM changes WHERE key = ? ORDER BY id DESC LIMIT 1',
    )
    this.#newestAt = this.#db.prepare(
      'SELECT id, value, created FROM changes WHERE key = ? AND id < ? ORDER BY id DESC LIMIT 1',
    )
    this.#insert = this.#db.prepare(
      'INSERT INTO changes (id, key, value, created, lease) VALUES (?, ?, ?, ?, ?)',
    )
    this.#range = this.#db.prepare(
      `SELECT key, value, created, max(id) AS id FROM changes
       WHERE key > ? AND key < ? AND id < ? GROUP BY key HAVING value IS NOT NULL ORDER BY key LIMIT ?`,
    )
  }

  leases(): { id: string; ttlMs: number }[] {
    return this.#db.prepare('SELECT id, ttl AS ttlMs FROM leases').all() as unknown as {
      id: string
      ttlMs: number
    }[]
  }

  /**
   * Runs `work` and makes all that it changed durable with one fsync.
   * @throws when the disk fails; nothing is kept then
   */
  inTransaction(work: () => void): void {
    const { revision, compacted } = this
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      work()
      this.#db.exec('COMMIT')
    } catch (error) {
      this.revision = revision
      this.compacted = compacted
      this.#rollBack(error)
      throw error
    }
  }

  get(key: string, revision?: number): Entry | undefined {
    const row = (revision === undefined
      ? this.#newest.get(key)
      : this.#newestAt.get(key, (revision + 1) * perRevision)) as unknown as Row | undefined
    return row && row.value !== null ? entryOf({ ...row, key }) : undefined
  }

  list(prefix: string, options: ListOptions): { revision: number; entries: Entry[] } {
    const revision = options.revision ?? this.revision
    const after = options.after !== undefined && options.after >= prefix ? options.after : before(prefix)
    const rows = this.#range.all(after, behind(prefix), (revision + 1) * perRevision, options.limit ?? -1)
    return { revision, entries: (rows as unknown as Row[]).map(entryOf) }
  }

  commit({ when = [], write }: Transaction): { outcome: Outcome; made?: Made } {
    if (write.length > perRevision)
      throw new Error(`a commit has ${write.length} operations, more than ${perRevision}`)
    const failed = when
      .filter(({ key, modified }) => (this.get(key)?.modified ?? 0) !== modified)
      .map(({ key }) => key)
    if (failed.length > 0) return { outcome: { ok: false, revision: this.revision, failed } }
    const revision = this.revision + 1
    const created = write.map((operation, i) => {
      const key = 'put' in operation ? operation.put : operation.delete
      const old = this.get(key)
      if ('delete' in operation && !old) return 0
      const value = 'put' in operation ? operation.value : null
      const lease = 'put' in operation ? (operation.lease ?? null) : null
      this.#insert.run(revision * perRevision + i, key, value, old?.created ?? revision, lease)
      return old?.created ?? revision
    })
    if (created.every((made) => made === 0)) return { outcome: { ok: true, revision: this.revision } }
    this.revision = revision
    return { outcome: { ok: true, revision }, made: { revision, created } }
  }

  /** Batches after a revision: some thousand changes at most, but whole revisions and at least one. */
  batches(from: number): Batch[] {
    const rows = this.#db
      .prepare('SELECT id, key, value, created FROM changes WHERE id >= ? ORDER BY id LIMIT ?')
      .all((from + 1) * perRevision, 2 * perRevision) as unknown as Row[]
    const batches: Batch[] = []
    for (const row of rows) {
      const revision = revisionOf(row.id)
      if (batches.at(-1)?.revision !== revision) batches.push({ revision, changes: [] })
      const change = { key: row.key, created: row.created, ...(row.value !== null && { value: row.value }) }
      batches.at(-1)!.changes.push(change)
    }
    // The last one may be cut off by the limit.
    return rows.length === 2 * perRevision ? batches.slice(0, -1) : batches
  }

  addLease(id: string, ttlMs: number): void {
    this.#db.prepare('INSERT INTO leases (id, ttl) VALUES (?, ?)').run(id, ttlMs)
  }

  /** Deletes the lease and the keys that hang on it. */
  revoke(id: string): Made | undefined {
    this.#db.prepare('DELETE FROM leases WHERE id = ?').run(id)
    const rows = this.#db
      .prepare('SELECT id, key FROM changes WHERE lease = ? ORDER BY key')
      .all(id) as unknown as Row[]
    const keys = rows
      .filter((row) => this.get(row.key)?.modified === revisionOf(row.id))
      .map((row) => row.key)
    const changes = keys.map((key) => ({ key, created: this.get(key)!.created }))
    this.commit({ write: keys.map((key) => ({ delete: key })) })
    return changes.length > 0 ? { batch: { revision: this.revision, changes } } : undefined
  }

  /** Deletes versions that no reader at `revision` or later sees. */
  compact(revision: number): void {
    const to = Math.min(revision, this.revision)
    if (to <= this.compacted) return
    const bound = (to + 1) * perRevision
    this.#setMeta('revision', this.revision)
    this.#db
      .prepare(
        `DELETE FROM changes WHERE id < :bound AND (value IS NULL OR EXISTS (
           SELECT 1 FROM changes AS newer
           WHERE newer.key = changes.key AND newer.id > changes.id AND newer.id < :bound))`,
      )
      .run({ bound })
    this.#setMeta('compacted', to)
    this.compacted = to
  }

  close(): void {
    this.#db.close()
  }

  /** Compaction may delete the last change, a deletion; the revision must not go back with it. */
  #lastRevision(): number {
    const { id } = this.#db.prepare('SELECT max(id) AS id FROM changes').get() as unknown as {
      id: number | null
    }
    return Math.max(this.#meta('revision') ?? 0, revisionOf(id ?? 0))
  }

  #meta(name: string): number | undefined {
    const row = this.#db.prepare('SELECT value FROM meta WHERE name = ?').get(name)
    return row?.value as number | undefined
  }

  #setMeta(name: string, value: number): void {
    this.#db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(name, value)
  }

  /** After some errors SQLite has rolled back by itself, and a second time is an error that hides the first. */
  #rollBack(cause: unknown): void {
    if (!this.#db.isTransaction) return
    try {
      this.#db.exec('ROLLBACK')
    } catch (error) {
      throw new Error(`${messageOf(cause)}; and rolling back: ${messageOf(error)}`, { cause })
    }
  }
}

function entryOf(row: Row): Entry {
  return { key: row.key, value: row.value!, created: row.created, modified: revisionOf(row.id) }
}

function revisionOf(id: number): number {
  return Math.floor(id / perRevision)
}

/** Keys that begin with `prefix` lie between `before` and `behind`, both left out. Keys are printable ASCII. */
function before(prefix: string): string {
  return prefix === ''
    ? ''
    : `${prefix.slice(0, -1)}${String.fromCharCode(prefix.charCodeAt(prefix.length - 1) - 1)}\x7f`
}

function behind(prefix: string): string {
  return `${prefix}\x7f`
}
