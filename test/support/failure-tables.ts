/** Every table of failures that a source declares, found by loading each source that declares one. */
import { globSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { FailureRow, FailureTable } from '../../src/shared/errors.ts'

const root = join(import.meta.dirname, '../..')

/** The tables by the path of the source that calls `failures(table)`; filled while sources load. */
export const tables = new Map<string, FailureTable>()

/** Stands in for `failures` of src/shared/errors.ts, and remembers who called. */
export function recordTable(table: FailureTable): void {
  const caller = /(?:file:\/\/)?(\/[^():]*\/src\/(?!shared\/)[^():]*\.ts)/.exec(new Error().stack ?? '')?.[1]
  if (caller) tables.set(relative(root, caller), table)
}

/** Loads all sources that declare a table. */
export async function loadTables(): Promise<void> {
  for (const path of globSync('src/**/*.ts', { cwd: root }).sort()) {
    if (path === 'src/shared/errors.ts') continue
    if (/\bfailures\(/.test(readFileSync(join(root, path), 'utf8'))) await import(join(root, path))
  }
}

/** The part of docs/errors.md that follows from the tables: a section a source, a line a code. */
export function renderTables(): string {
  return [...tables]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([path, table]) => [
      `## ${path}\n`,
      '| code | exit | HTTP | what it says | next step |',
      '| --- | --- | --- | --- | --- |',
      ...Object.entries(table)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, row]) => renderRow(code, row)),
      '',
    ])
    .join('\n')
}

function renderRow(code: string, row: FailureRow<unknown>): string {
  const text = said(row.text)
  const next = row.next ? said(row.next) : ''
  const cells = [`\`${code}\``, `${row.exit ?? 1}`, `${row.http ?? 500}`, text, next]
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').trim()).join(' | ')} |`.replaceAll(
    '|  |',
    '| |',
  )
}

/** The sentence with the parameters' names, in capitals, in their places. */
function said(text: (p: unknown) => string): string {
  const parameters = new Proxy(
    {},
    {
      get: (_, name) => {
        const word = String(name)
          .replace(/([a-z])([A-Z])/g, '$1_$2')
          .toUpperCase()
        return Object.assign(new String(word), { join: () => word })
      },
    },
  )
  return `${text(parameters)}`
}
