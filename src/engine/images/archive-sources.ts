/** Files of this machine as entries of a layer: whole folders, and programs with the libraries they need. */
import { execFile } from 'node:child_process'
import { readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { LayerFile } from './archive.ts'
import { fail } from './errors.ts'

/**
 * Everything below a folder of this machine, as it shall lie below `path` in the image. Only files, folders and
 * symbolic links are taken.
 * @throws E_ARCHIVE_SOURCE for anything else
 */
export function filesOfFolder(folder: string, path: string): LayerFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry): LayerFile[] => {
    const source = join(folder, entry.name)
    const at = `${path}/${entry.name}`
    if (entry.isDirectory()) return [{ type: 'folder', path: at }, ...filesOfFolder(source, at)]
    if (entry.isSymbolicLink()) return [{ type: 'symlink', path: at, target: readlinkSync(source) }]
    if (entry.isFile()) return [{ type: 'file', path: at, source }]
    throw fail('E_ARCHIVE_SOURCE', { path: source, problem: 'it is no file, folder or symbolic link' })
  })
}

/**
 * A program of this machine, and the shared libraries and loader that it needs, where the loader looks for
 * them (ldd).
 * @param path of the program in the image
 * @throws E_ARCHIVE_SOURCE
 */
export async function filesOfProgram(program: string, path: string): Promise<LayerFile[]> {
  const own: LayerFile = { type: 'file', path, source: program, mode: 0o755 }
  const libraries = await librariesOf(program)
  return [own, ...libraries.map((source): LayerFile => ({ type: 'file', path: source, source, mode: 0o755 }))]
}

async function librariesOf(program: string): Promise<string[]> {
  const refuse = (problem: string, cause?: unknown) =>
    fail('E_ARCHIVE_SOURCE', { path: program, problem }, cause)
  let output: string
  try {
    output = (await promisify(execFile)('ldd', [program], { env: { ...process.env, LC_ALL: 'C' } })).stdout
  } catch (error) {
    const said =
      String((error as { stderr?: unknown }).stderr ?? '') + String((error as { stdout?: unknown }).stdout)
    if (/not a dynamic executable|statically linked/.test(said)) return []
    throw refuse(
      errnoOf(error) === 'ENOENT' ? 'ldd is not there (package libc-bin)' : messageOf(error),
      error,
    )
  }
  const missing = /(\S+) => not found/.exec(output)
  if (missing) throw refuse(`the library ${missing[1]} that it needs is not there`)
  // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x...)", and the loader: "/lib64/ld-linux-x86-64.so.2 (0x...)"
  const paths = [...output.matchAll(/(?:=> |^\s*)(\/\S+) \(0x/gm)].map((match) => match[1]!)
  return [...new Set(paths)].sort()
}
