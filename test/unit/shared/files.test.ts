import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sweepTemporaries, writeFileAtomic } from '../../../src/shared/files.ts'

describe('files that are replaced as a whole', () => {
  let folder = ''
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tsmachine-files-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('leave nothing beside them, nor does a writing that failed', async () => {
    await writeFileAtomic(join(folder, 'key.pem'), 'secret')
    await expect(writeFileAtomic(join(folder, 'none/key.pem'), 'secret')).rejects.toThrow(/ENOENT/)
    expect(readdirSync(folder)).toEqual(['key.pem'])
  })

  it('are swept of what a killed writer left, and of nothing else', async () => {
    for (const name of ['.key.pem.4711.3', '.hidden', 'a.1.2', '.x.1']) writeFileSync(join(folder, name), '')
    await sweepTemporaries(folder)
    expect(readdirSync(folder).sort()).toEqual(['.hidden', '.x.1', 'a.1.2', 'key.pem'])
    await sweepTemporaries(join(folder, 'not there'))
  })
})
