import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { renderReference } from '../../../scripts/reference.ts'
import { root } from '../../../src/cli.ts'

test('docs/commands.md is what the commands say of themselves (else: npm run manifest)', async () => {
  expect(readFileSync(join(root, 'docs/commands.md'), 'utf8')).toBe(await renderReference())
})
