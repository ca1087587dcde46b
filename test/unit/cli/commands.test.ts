import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Manifest } from '@oclif/core/interfaces'
import { describe, expect, test } from 'vitest'
import { pathsForPackage } from '../../../src/cli/manifest.ts'
import { loadFreshManifest, root } from '../../../src/cli.ts'

const fresh = await loadFreshManifest()
pathsForPackage(fresh)

describe('the list of commands', () => {
  test('in oclif.manifest.json is the one that the sources make (else: npm run manifest)', () => {
    const committed = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as Manifest
    expect(committed).toEqual(JSON.parse(JSON.stringify(fresh)))
  })

  for (const [id, command] of Object.entries(fresh.commands)) {
    describe(id.replaceAll(':', ' '), () => {
      test('has a summary, an example, and a text for each argument and flag', () => {
        expect(command.summary, 'summary').toMatch(/^[A-Z].*\.$/s)
        expect(command.examples?.length, 'examples').toBeGreaterThan(0)
        for (const arg of Object.values(command.args)) expect(arg.description, arg.name).toBeTruthy()
        for (const flag of Object.values(command.flags)) {
          expect(flag.summary ?? flag.description, `--${flag.name}`).toBeTruthy()
        }
      })

      if (/(^|:)(ls|ps|list)$/.test(id)) {
        test('prints JSON on demand, since it lists', () => {
          expect(Object.keys(command.flags)).toContain('json')
        })
      }

      test('reads its environment variables from TSMACHINE_..., TSHOST_... or TSSWARM_..., or a known name', () => {
        for (const flag of Object.values(command.flags)) {
          if (flag.env)
            expect(flag.env).toMatch(
              /^(TSMACHINE|TSHOST|TSSWARM|DOCKER|VIRTUALBOX|MACHINE|GENERIC|AWS|AZURE)_/,
            )
        }
      })
    })
  }
})
