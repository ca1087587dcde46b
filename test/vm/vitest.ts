/**
 * As much of vitest as our suites use, in a file that runs anywhere: the guest has no room for the real one.
 * Expectations are Jest's, with which vitest's agree.
 */
import { expect as jestExpect } from 'expect'

type Work = () => unknown
interface Suite {
  name: string
  before: Work[]
  after: Work[]
  tests: { name: string; work: Work | undefined }[]
}

const suites: Suite[] = []
let current: Suite | undefined

export const expect = jestExpect

function suite(name: string, work: Work, skipped: boolean): void {
  const outer = current
  const own: Suite = {
    name: outer ? `${outer.name} > ${name}` : name,
    before: [...(outer?.before ?? [])],
    after: [],
    tests: [],
  }
  suites.push(own)
  current = own
  work()
  current = outer
  if (skipped) for (const test of own.tests) test.work = undefined
}

/** printf-like titles of .each */
function title(template: string, row: unknown): string {
  const values = Array.isArray(row) ? [...row] : [row]
  return template
    .replace(/\$(\w+)/g, (_, key: string) => String((row as Record<string, unknown>)[key]))
    .replace(/%[sijdo]/g, () => String(values.shift()))
}

const each =
  (add: (name: string, work: Work) => void) =>
  (rows: readonly unknown[]) =>
  (name: string, work: (...row: unknown[]) => unknown) => {
    for (const row of rows) add(title(name, row), () => (Array.isArray(row) ? work(...row) : work(row)))
  }

const addSuite = (name: string, work: Work) => suite(name, work, false)
const addTest = (name: string, work: Work) => {
  current!.tests.push({ name, work })
}
const skipTest = (name: string) => {
  current!.tests.push({ name, work: undefined })
}

export const describe = Object.assign(addSuite, {
  skipIf: (condition: unknown) =>
    condition ? (name: string, work: Work) => suite(name, work, true) : addSuite,
  each: each(addSuite),
})
export const it = Object.assign(addTest, {
  skipIf: (condition: unknown) => (condition ? skipTest : addTest),
  each: each(addTest),
})
export const beforeAll = (work: Work) => current!.before.push(work)
export const afterAll = (work: Work) => current!.after.push(work)

const testTimeoutMs = 300_000

/** Runs everything that was declared; a line each, and the count at the end. */
export async function runAll(): Promise<boolean> {
  const count = { passed: 0, failed: 0, skipped: 0 }
  const attempt = async (name: string, work: Work) => {
    const before = performance.now()
    try {
      await Promise.race([
        work(),
        new Promise((_, reject) => setTimeout(() => reject(new Error('timed out')), testTimeoutMs).unref()),
      ])
      console.log(`guest: ok ${name} (${Math.round(performance.now() - before)} ms)`)
      return true
    } catch (error) {
      console.log(`guest: FAILED ${name}\n${(error as Error).stack ?? String(error)}`)
      return false
    }
  }
  for (const own of suites) {
    const runs = own.tests.some((test) => test.work)
    if (runs)
      for (const work of own.before) if (!(await attempt(`${own.name}: beforeAll`, work))) count.failed++
    for (const { name, work } of own.tests) {
      if (!work) count.skipped++
      else if (await attempt(`${own.name} > ${name}`, work)) count.passed++
      else count.failed++
    }
    if (runs)
      for (const work of own.after) if (!(await attempt(`${own.name}: afterAll`, work))) count.failed++
  }
  console.log(`guest: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
  return count.failed === 0
}
