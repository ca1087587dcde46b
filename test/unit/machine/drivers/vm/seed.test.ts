import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeSeed } from '../../../../../src/machine/drivers/vm/seed.ts'
import { titled, which } from '../../../../support/needs.ts'

const files = {
  'user-data': `#cloud-config\n${'x'.repeat(5_000)}\n`,
  'meta-data': 'instance-id: 1\n',
  empty: '',
}

test('a seed is an image named cidata, the same for the same files', () => {
  const image = makeSeed(files)
  expect(image.length % 2048).toBe(0)
  expect(image.toString('latin1', 16 * 2048 + 40, 16 * 2048 + 72)).toBe('cidata'.padEnd(32))
  expect(image.equals(makeSeed({ ...files }))).toBe(true)
  // Number of sectors, in both byte orders.
  expect(image.readUInt32LE(16 * 2048 + 80)).toBe(image.length / 2048)
  expect(image.readUInt32BE(16 * 2048 + 84)).toBe(image.length / 2048)
})

const reason = which('xorriso') ? undefined : "needs Debian's xorriso"
test.skipIf(reason)(titled('a seed is read by another program as it was written', reason), () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-seed-'))
  try {
    const iso = join(folder, 'seed.iso')
    writeFileSync(iso, makeSeed(files))
    // With the lower case that Linux shows, too.
    const args = ['-abort_on', 'WARNING', '-ecma119_map', 'lowercase', '-indev', iso, '-osirrox', 'on']
    execFileSync('xorriso', [...args, '-extract', '/', join(folder, 'out')], { stdio: 'pipe' })
    for (const [name, text] of Object.entries(files))
      expect(readFileSync(join(folder, 'out', name), 'utf8'), name).toBe(text)
  } finally {
    execFileSync('chmod', ['-R', 'u+w', folder])
    rmSync(folder, { recursive: true })
  }
})
