/**
 * Which modules of this package are the engine: its entry, and those that run as worker threads, each a file of
 * its own beside it.
 */
import { globSync } from 'node:fs'
import { basename, extname, join } from 'node:path'

/**
 * Sources by the name of their output: daemon/bundle becomes tshost.mjs, and every module whose name ends in
 * "-thread" becomes a file of that name.
 * @param machine the folder of the machine layer, in src or in dist
 */
export function ownEngineEntries(machine: string): Record<string, string> {
  const root = join(machine, '..')
  const extension = extname(import.meta.filename)
  const threads = globSync(`{engine,swarm,daemon}/**/*-{thread,worker}${extension}`, { cwd: root })
  return {
    'tshost.mjs': join(root, `daemon/bundle${extension}`),
    ...Object.fromEntries(
      threads.map((path) => [`${basename(path, extension)}.mjs`, join(root, path)] as const),
    ),
  }
}
