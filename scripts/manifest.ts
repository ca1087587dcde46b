/**
 * Writes oclif.manifest.json: the list of all commands, from the sources. A test compares it with a fresh one.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathsForPackage } from '../src/cli/manifest.ts'
import { loadFreshManifest, root } from '../src/cli.ts'

const manifest = await loadFreshManifest()
pathsForPackage(manifest)
writeFileSync(join(root, 'oclif.manifest.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
console.log(`oclif.manifest.json: ${Object.keys(manifest.commands).length} commands`)
