/**
 * `npm test` and its parts: `npm run test:unit`, `test:integration`, `test:e2e`, `test:long`, `test:vm`.
 * Prints what each step prints, and at the end one line that counts: "N passed, N failed, N skipped".
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

interface Count {
  passed: number
  failed: number
  skipped: number
}
type Step = { name: string; run: () => Promise<Count> }

const root = join(import.meta.dirname, '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)

/** Runs a command with our own streams. @returns its exit code */
function command(name: string, args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, { cwd: root, stdio: 'inherit' })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** A check that counts as one test. */
const check = (name: string, program: string, args: string[]): Step => ({
  name,
  run: async () => {
    const failed = (await command(program, args)) === 0 ? 0 : 1
    return { passed: 1 - failed, failed, skipped: 0 }
  },
})

/** Vitest projects, the first names the step; their own report in JSON says how many there were. */
const project = (name: string, ...more: string[]): Step => ({
  name: `${name} tests`,
  run: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tsmachine-test-'))
    const report = join(folder, 'report.json')
    try {
      const args = [
        'run',
        ...[name, ...more].flatMap((one) => ['--project', one]),
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
      ]
      const code = await command(bin('vitest'), args)
      const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
        readFileSync(report, 'utf8'),
      )
      // A file that does not even load fails without a failed test.
      const failed = numFailedTests || (code === 0 ? 0 : 1)
      return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests }
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  },
})

/** A script of ours that ends with such a line itself. */
const script = (name: string, path: string, args: string[]): Step => ({
  name,
  run: () =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [join(root, path), ...args], {
        cwd: root,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk
        process.stdout.write(chunk)
      })
      child.once('error', reject)
      child.once('exit', () => {
        const [, passed, failed, skipped] = /(\d+) passed, (\d+) failed, (\d+) skipped\s*$/.exec(output) ?? [
          0, 0, 1, 0,
        ]
        resolve({ passed: Number(passed), failed: Number(failed), skipped: Number(skipped) })
      })
    }),
})

const lint = check('lint', bin('biome'), ['check', '--error-on-warnings', '.'])
const types = check('types', bin('tsc'), ['-p', '.'])
const parts: Record<string, Step[]> = {
  unit: [lint, types, project('unit', 'startup')],
  integration: [project('integration')],
  e2e: [project('e2e')],
  long: [project('long')],
  vm: [script('guests', 'test/vm/run.ts', [])],
  all: [
    lint,
    types,
    project('unit', 'startup'),
    project('integration'),
    script('guest (cgroup v2)', 'test/vm/run.ts', ['x64']),
    project('e2e'),
  ],
}

const wanted = process.argv[2] ?? 'all'
const steps = parts[wanted]
if (!steps) {
  console.error(`no tests are called ${wanted}; there are: ${Object.keys(parts).join(', ')}`)
  process.exit(2)
}
const total: Count = { passed: 0, failed: 0, skipped: 0 }
for (const step of steps) {
  console.log(`\n== ${step.name}`)
  const started = performance.now()
  const count = await step.run()
  for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += count[key]
  console.log(
    `== ${step.name}: ${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped in ${Math.round((performance.now() - started) / 1000)} s`,
  )
}
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : 0
