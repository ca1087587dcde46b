/**
 * The list of commands that oclif keeps in oclif.manifest.json, so that help imports no command.
 * It names the built files; a working copy runs the sources, and may be newer than the list.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '@oclif/core/interfaces'
import { readIfThere } from '../shared/files.ts'

/**
 * Whether the manifest lists exactly the commands that are in src/commands; false where there is no manifest.
 * The help of one that was edited since may lag behind: `npm run manifest` brings it up, and a test asks for it.
 */
export async function manifestIsCurrent(root: string): Promise<boolean> {
  const text = await readIfThere(join(root, 'oclif.manifest.json'))
  if (text === undefined) return false
  const listed = Object.keys((JSON.parse(text) as Manifest).commands)
  const files = await readdir(join(root, 'src/commands'), { recursive: true })
  const ids = files
    .filter((name) => name.endsWith('.ts'))
    .map((name) =>
      name
        .replace(/\.ts$/, '')
        .replaceAll('/', ':')
        .replace(/:index$/, ''),
    )
  return ids.length === listed.length && ids.every((id) => listed.includes(id))
}

/** Points the manifest's entries at the sources instead of the built files. */
export function pathsForSources(manifest: Manifest): void {
  renamePaths(manifest, 'dist', 'src', '.js', '.ts')
}

/** Points the manifest's entries at the built files, wherever it was made from. */
export function pathsForPackage(manifest: Manifest): void {
  renamePaths(manifest, 'src', 'dist', '.ts', '.js')
}

function renamePaths(
  manifest: Manifest,
  ...[from, to, fromEnding, toEnding]: [string, string, string, string]
): void {
  for (const command of Object.values(manifest.commands)) {
    command.relativePath = command.relativePath?.map((part, i, all) => {
      if (i === 0 && part === from) return to
      return i === all.length - 1 && part.endsWith(fromEnding)
        ? part.slice(0, -fromEnding.length) + toEnding
        : part
    })
  }
}
