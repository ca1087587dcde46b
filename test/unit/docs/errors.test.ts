import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { loadTables, recordTable, renderTables, tables } from '../../support/failure-tables.ts'

vi.mock('../../../src/shared/errors.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../../src/shared/errors.ts')>()
  return {
    ...original,
    failures: (table: Parameters<typeof original.failures>[0]) => {
      recordTable(table)
      return original.failures(table)
    },
  }
})

const path = join(import.meta.dirname, '../../../docs/errors.md')
const page = readFileSync(path, 'utf8')
await loadTables()

test('docs/errors.md names each code of each table, and no other, with its text, exit code and HTTP status', async () => {
  expect(tables.size).toBeGreaterThan(10)
  // What stands before the first section is written by hand. `npx vitest -u` brings the rest up to date.
  const byHand = page.slice(0, page.indexOf('\n## src/') + 1)
  await expect(`${byHand}${renderTables()}`).toMatchFileSnapshot(path)
})
