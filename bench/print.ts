import { formatTable } from '../src/shared/table.ts'

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}

export function printTable(head: string[], rows: string[][]): void {
  console.log(`${formatTable([head, ...rows])}\n`)
}
