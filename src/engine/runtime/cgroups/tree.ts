/** The cgroup under which an engine's containers live, and what becomes of a container's own. */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../../../shared/errors.ts'
import { cgroupFolders, controllerFolder, type Hierarchy } from './hierarchy.ts'

/** What every child of a parent must be given by hand (v1). */
export interface Inherited {
  cpuset?: { cpus: string; mems: string }
}

/** Makes the parent in every tree and opens it for children; it may be there already. */
export function makeCgroupParent(hierarchy: Hierarchy, path: string): Inherited {
  for (const folder of cgroupFolders(hierarchy, path)) mkdirSync(folder, { recursive: true, mode: 0o755 })
  if (hierarchy.version === 2) {
    enableControllers(hierarchy, path)
    return {}
  }
  const root = hierarchy.trees.find((tree) => tree.controllers.includes('cpuset'))?.mountPoint
  const folder = controllerFolder(hierarchy, 'cpuset', path)
  if (!root || !folder) return {}
  // From the top down: a cpuset can't have what its parent has not.
  const levels: string[] = []
  for (let at = folder; at !== root; at = dirname(at)) levels.unshift(at)
  for (const file of ['cpus', 'mems']) {
    let value = readFileSync(`${root}/cpuset.${file}`, 'utf8').trim()
    for (const level of levels) {
      const own = readFileSync(`${level}/cpuset.${file}`, 'utf8').trim()
      if (own === '') writeFileSync(`${level}/cpuset.${file}`, value)
      else value = own
    }
  }
  const read = (file: string) => readFileSync(`${folder}/cpuset.${file}`, 'utf8').trim()
  return { cpuset: { cpus: read('cpus'), mems: read('mems') } }
}

/** v2: a controller works in a cgroup only when each one above it passes it on. */
function enableControllers(hierarchy: Hierarchy, path: string): void {
  const root = hierarchy.trees[0]!.mountPoint
  const parts = path.split('/').filter(Boolean)
  for (let depth = 0; depth <= parts.length; depth++) {
    const folder = [root, ...parts.slice(0, depth)].join('/')
    const available = readFileSync(`${folder}/cgroup.controllers`, 'utf8').trim().split(' ').filter(Boolean)
    const enabled = readFileSync(`${folder}/cgroup.subtree_control`, 'utf8').trim().split(' ')
    for (const controller of available.filter((c) => !enabled.includes(c))) {
      try {
        writeFileSync(`${folder}/cgroup.subtree_control`, `+${controller}`)
      } catch (error) {
        // One that can't be passed on (a real-time task in the way, a domain that holds processes) is left out;
        // a limit that needs it then fails by name.
        if (!['EBUSY', 'EINVAL', 'EOPNOTSUPP', 'ENOENT'].includes(errnoOf(error) ?? '')) throw error
      }
    }
  }
}

const tries = 50

/**
 * Removes a container's cgroups, with those that it made itself, when its last process is gone; the kernel may
 * need a moment for that.
 * @throws EBUSY when processes are left
 */
export async function removeCgroup(hierarchy: Hierarchy, path: string): Promise<void> {
  for (const folder of cgroupFolders(hierarchy, path)) {
    for (let i = 1; !tryRemove(folder, i >= tries); i++) await sleep(i < 5 ? 2 : 20)
  }
}

/** @returns false where it is busy */
function tryRemove(folder: string, last: boolean): boolean {
  try {
    rmdirSync(folder)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return true
    if (errnoOf(error) !== 'EBUSY') throw error
    const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const allGone = children.every((entry) => tryRemove(`${folder}/${entry.name}`, last))
    if (allGone && children.length > 0) return tryRemove(folder, last)
    if (last) throw error
    return false
  }
}
