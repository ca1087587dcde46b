/**
 * Every file, socket and kernel object of an engine, by name; docs/files.md says the same for people.
 * All of them derive from the data root, so that engines side by side don't touch each other.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

export interface EnginePaths {
  dataRoot: string
  execRoot: string
  /** Eight hex digits: in the names of bridges, cgroups, nft tables, and in a keeper's arguments. */
  engineId: string
  containers: string
  swarm: string
  /** Exit records of exec sessions. */
  execs: string
  /** An empty folder: each container mounts its root on it, in its own mount namespace. */
  mountPoint: string
  /** Held by the running daemon. */
  lock: string
  /** Parent of all containers' cgroups. */
  cgroup: string
}

/** Makes the folders and names everything. Others may pass through the data root to reach nothing (CVE-2021-41091). */
export function enginePaths(dataRoot: string, execRoot: string): EnginePaths {
  mkdirSync(dataRoot, { recursive: true, mode: 0o710 })
  mkdirSync(execRoot, { recursive: true, mode: 0o700 })
  const real = realpathSync(dataRoot)
  const engineId = createHash('sha256').update(real).digest('hex').slice(0, 8)
  const paths: EnginePaths = {
    dataRoot: real,
    execRoot: realpathSync(execRoot),
    engineId,
    containers: join(real, 'containers'),
    swarm: join(real, 'swarm'),
    execs: join(execRoot, 'exec'),
    mountPoint: join(execRoot, 'root'),
    lock: join(real, 'engine.lock'),
    cgroup: `/tshost-${engineId}`,
  }
  mkdirSync(paths.mountPoint, { recursive: true, mode: 0o700 })
  return paths
}
