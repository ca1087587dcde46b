/**
 * Which cgroups this machine has: one tree (v2), or one tree a controller (v1). On a hybrid machine the
 * controllers are on v1 and the v2 tree beside them has none; then v1 it is.
 */
import { readFileSync } from 'node:fs'
import { fail } from '../errors.ts'

export interface Hierarchy {
  version: 1 | 2
  /** v1: the controllers and where each is mounted; several may share a tree. v2: one entry, ''. */
  trees: CgroupTree[]
}

export interface CgroupTree {
  controllers: string[]
  mountPoint: string
}

const v1Controllers = [
  'cpuset',
  'cpu',
  'cpuacct',
  'blkio',
  'memory',
  'devices',
  'freezer',
  'net_cls',
  'perf_event',
  'net_prio',
  'hugetlb',
  'pids',
  'rdma',
  'misc',
]

/** @throws E_NO_CGROUPS */
export function detectHierarchy(mountinfo = readFileSync('/proc/self/mountinfo', 'utf8')): Hierarchy {
  const trees: CgroupTree[] = []
  let unified: string | undefined
  for (const line of mountinfo.trimEnd().split('\n')) {
    const [before, after] = line.split(' - ') as [string, string]
    const mountPoint = before
      .split(' ')[4]!
      .replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)))
    const [type, , options] = after.split(' ') as [string, string, string]
    if (type === 'cgroup2') unified ??= mountPoint
    if (type !== 'cgroup') continue
    const controllers = options.split(',').filter((o) => v1Controllers.includes(o) || o.startsWith('name='))
    if (!trees.some((t) => t.controllers.join() === controllers.join()))
      trees.push({ controllers, mountPoint })
  }
  if (trees.some((t) => t.controllers.includes('memory') || t.controllers.includes('pids')))
    return { version: 1, trees }
  if (unified) return { version: 2, trees: [{ controllers: [''], mountPoint: unified }] }
  throw fail('E_NO_CGROUPS', {})
}

/** Where a cgroup path lies in each tree. */
export function cgroupFolders(hierarchy: Hierarchy, path: string): string[] {
  return hierarchy.trees.map((tree) => `${tree.mountPoint}/${path.replace(/^\/+/, '')}`)
}

/** The folder of one controller, or undefined where the machine has not got it. */
export function controllerFolder(hierarchy: Hierarchy, controller: string, path: string): string | undefined {
  const tree =
    hierarchy.version === 2
      ? hierarchy.trees[0]
      : hierarchy.trees.find((t) => t.controllers.includes(controller))
  return tree && `${tree.mountPoint}/${path.replace(/^\/+/, '')}`
}
