/**
 * Old records in today's format: one step for each version that was ever written. A fixture of each old version
 * stays in test/fixtures.
 */
import { fail } from '../errors.ts'
import { type MachineRecord, recordVersion } from '../record.ts'

type Migration = (old: Record<string, unknown>) => Record<string, unknown>
/** `migrations[n]` makes version n + 1 out of version n. */
const migrations: Record<number, Migration> = {}

/**
 * The record in today's format.
 * @throws E_RECORD_NEWER, or E_RECORD_BROKEN where it is no record at all
 */
export function migrateRecord(raw: unknown, path: string): MachineRecord {
  if (typeof raw !== 'object' || raw === null) throw fail('E_RECORD_BROKEN', { path, why: 'not an object' })
  let record = raw as Record<string, unknown>
  if (typeof record.version !== 'number') throw fail('E_RECORD_BROKEN', { path, why: 'it has no version' })
  if (record.version > recordVersion) throw fail('E_RECORD_NEWER', { path, version: record.version })
  for (let version = record.version; version < recordVersion; version++) {
    record = { ...migrations[version]!(record), version: version + 1 }
  }
  for (const key of ['id', 'name', 'driver', 'phase']) {
    if (typeof record[key] !== 'string') throw fail('E_RECORD_BROKEN', { path, why: `it has no ${key}` })
  }
  return record as unknown as MachineRecord
}
