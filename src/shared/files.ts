import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { errnoOf } from './errors.ts'

/**
 * Replaces a file so that a reader, and a crash, sees the old text or the new one and nothing between:
 * temporary file beside it, fsync, rename, fsync of the folder.
 * @param mode permission bits of the new file; 0600 unless given, since most such files hold state or keys
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.${temporaryCount++}`)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}

let temporaryCount = 0

const temporaryName = /^\..+\.\d+\.\d+$/

/**
 * Removes what writers of `writeFileAtomic` that were killed left in a folder; a folder that is not there is fine.
 * Only for the folder's owner, and before it writes: it can't tell a dead writer's file from a living one's.
 */
export async function sweepTemporaries(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) {
      if (temporaryName.test(name)) await rm(join(folder, name), { force: true })
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Flushes a folder's entries to the disk, so that a rename or a new name in it outlives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The file's text, or undefined where there is none. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Makes a folder and its parents; the folder itself is for its owner only. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
}
