import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '../../../..')

describe("the engine's bundle", () => {
  let cache = ''
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), 'tsmachine-bundle-'))
  })
  afterAll(() => rmSync(cache, { recursive: true, force: true }))

  /** In a process of its own: the builder takes its folder from where that began. */
  function digestFrom(cwd: string): string {
    const options = {
      engineEntries: { 'tshost.mjs': join(root, 'test/support/machine-engine.ts') },
      arch: process.arch,
      cache,
    }
    const script = `
const { buildBundle } = await import(${JSON.stringify(join(root, 'src/machine/bootstrap/bundle.ts'))})
console.log((await buildBundle(${JSON.stringify(options)})).digest)`
    return execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd, encoding: 'utf8' })
  }

  test('is the same wherever the user stands', () => {
    expect(new Set([root, '/', tmpdir()].map(digestFrom)).size).toBe(1)
  })
})
