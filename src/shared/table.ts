/**
 * Columns as Docker's tables have them: padded with blanks, three between two columns, no lines.
 * @param rows the first one is the head
 */
export function formatTable(rows: string[][]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, [...cell].length)
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) =>
          i === row.length - 1 ? cell : cell + ' '.repeat(widths[i]! - [...cell].length + 3),
        )
        .join('')
        .trimEnd(),
    )
    .join('\n')
}
