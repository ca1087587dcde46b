import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildBundle } from '../../../../src/machine/bootstrap/bundle.ts'

describe("the engine's bundle", () => {
  const before = process.cwd()
  let cache = ''
  beforeAll(() => {
    cache = mkdtempSync(join(tmpdir(), 'tsmachine-bundle-'))
  })
  afterAll(() => {
    process.chdir(before)
    rmSync(cache, { recursive: true, force: true })
  })

  test('is the same wherever the user stands', async () => {
    const engineEntries = { 'tshost.mjs': join(import.meta.dirname, '../../../support/machine-engine.ts') }
    const digests: string[] = []
    for (const folder of [before, '/', tmpdir()]) {
      process.chdir(folder)
      digests.push((await buildBundle({ engineEntries, arch: process.arch as 'x64', cache })).digest)
    }
    expect(new Set(digests).size).toBe(1)
  })
})
