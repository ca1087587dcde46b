/**
 * `node scripts/run.mjs SETS SCRIPT [ARGS...]`: installs what is missing, then runs a TypeScript file with the
 * pinned node. The scripts of package.json are made of it.
 */
import { ensureDebianPackages, ensureNpmPackages, runTypeScript } from './setup.mjs'

const [sets, script, ...args] = process.argv.slice(2)
ensureNpmPackages()
ensureDebianPackages(sets.split(',').filter(Boolean))
runTypeScript(script, args)
