/** `npm run build`: dist/ from src/, when something has changed since the last time. */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const stamp = join(root, 'node_modules/.cache/tsmachine-build')

/** @returns whether anything was built */
export function buildIfChanged(): boolean {
  const builtMs = existsSync(stamp) && existsSync(join(root, 'dist/cli.js')) ? statSync(stamp).mtimeMs : 0
  const sources = [
    ...globSync('src/**/*.ts', { cwd: root }),
    'tsconfig.json',
    'tsconfig.build.json',
    'package.json',
  ]
  if (!sources.some((path) => statSync(join(root, path)).mtimeMs > builtMs)) return false
  const startedAt = new Date()
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.build.json'], {
    cwd: root,
    stdio: 'inherit',
  })
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, '')
  utimesSync(stamp, startedAt, startedAt)
  return true
}

if (import.meta.main) console.log(buildIfChanged() ? 'built dist/' : 'dist/ is up to date')
