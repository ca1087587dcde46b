/**
 * What a host leaves in the cgroup hierarchies: its own group, and those that the engine in it made.
 */
import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../../../shared/errors.ts'

const mountPoint = '/sys/fs/cgroup'

/**
 * Removes the group `path` and all below it from every hierarchy; none there is fine.
 * A group is busy for a moment after its last process ended.
 */
export async function removeCgroups(path: string): Promise<void> {
  for (const group of await cgroupsAt(path)) await removeTree(group)
}

/** Removes the group `path` where nothing is left in it. */
export async function removeEmptyCgroups(path: string): Promise<void> {
  for (const group of await cgroupsAt(path)) {
    try {
      await rmdir(group)
    } catch (error) {
      // Another machine of the storage is in it, or has just been.
      if (!['EBUSY', 'ENOTEMPTY', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error
    }
  }
}

/** The folders of this group: one with cgroup v2, one a hierarchy with v1. */
export async function cgroupsAt(path: string): Promise<string[]> {
  const hierarchies = await readdir(mountPoint, { withFileTypes: true })
  const roots = [
    mountPoint,
    ...hierarchies.filter((entry) => entry.isDirectory()).map(({ name }) => join(mountPoint, name)),
  ]
  const groups = await Promise.all(
    roots.map(async (root) => ((await subfolders(join(root, path))) ? join(root, path) : undefined)),
  )
  return groups.filter((group) => group !== undefined)
}

async function removeTree(group: string): Promise<void> {
  for (const name of (await subfolders(group)) ?? []) await removeTree(join(group, name))
  for (let tries = 0; ; tries++) {
    try {
      return await rmdir(group)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      if (errnoOf(error) !== 'EBUSY' || tries === 100) throw error
      await sleep(20)
    }
  }
}

/** Names of the folders below, or undefined where there is no such folder. */
async function subfolders(path: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}
