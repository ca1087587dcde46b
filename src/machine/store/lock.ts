/**
 * Locks between processes: of the whole storage for moments, of one machine for as long as it is worked on.
 */
import { open, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf } from '../../shared/errors.ts'
import { makePrivateFolder, readIfThere, writeFileAtomic } from '../../shared/files.ts'
import { fail } from '../errors.ts'

export interface LockOptions {
  /** What the lock is of, for the message of the one that waited in vain. */
  what: string
  /** How long to wait for another's lock. */
  timeoutMs: number
}

/** A lock that was not renewed for this long is free, whoever had it. */
const staleMs = 5_000

/**
 * Runs `work` while no other process has the lock on `path` (a folder `path.lock` stands for it).
 * The lock of a process that was killed is free at once where that can be told, else after five seconds.
 * @throws E_MACHINE_BUSY when it isn't free in time
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  await makePrivateFolder(dirname(path))
  const lost = Promise.withResolvers<never>()
  // Another process took the lock for that of a dead one: this one stood still for too long.
  const onLost = (error: Error) => lost.reject(fail('E_MACHINE_BUSY', { name: options.what }, error))
  const release = await acquire(path, options, onLost)
  try {
    return await Promise.race([work(), lost.promise])
  } finally {
    if (await isOurs(path)) await rm(`${path}.owner`, { force: true })
    await release().catch((error: unknown) => {
      if (errnoOf(error) !== 'ERELEASED' && errnoOf(error) !== 'ENOTACQUIRED') throw error
    })
  }
}

async function acquire(
  path: string,
  { what, timeoutMs }: LockOptions,
  onCompromised: (error: Error) => void,
) {
  const { lock } = await import('proper-lockfile')
  for (const end = performance.now() + timeoutMs; ; await sleep(50)) {
    try {
      const release = await lock(path, { realpath: false, stale: staleMs, update: 1_000, onCompromised })
      await writeFileAtomic(`${path}.owner`, JSON.stringify({ ...(await lockIdentity(path)), ...self() }))
      return release
    } catch (error) {
      if (errnoOf(error) !== 'ELOCKED') throw error
      await expireDeadLock(path)
      if (performance.now() > end) throw fail('E_MACHINE_BUSY', { name: what }, error)
    }
  }
}

/** Whether the note of who has the lock is this process's: it may have lost the lock to another. */
async function isOurs(path: string): Promise<boolean> {
  const text = await readIfThere(`${path}.owner`)
  return text !== undefined && (JSON.parse(text) as Owner).pid === process.pid
}

interface Owner {
  pid: number
  host: string
  /** Which lock folder it was: another one may stand at its path by now. */
  ino: number
  birth: number
}

/**
 * Makes the lock of a dead process look as old as it may be, so that the next try takes it. The folder is held
 * open meanwhile: what has its inode is then surely the one that the owner made.
 */
async function expireDeadLock(path: string): Promise<void> {
  const folder = await openIfThere(`${path}.lock`)
  if (!folder) return
  try {
    const text = await readIfThere(`${path}.owner`)
    const owner = text === undefined ? undefined : (JSON.parse(text) as Owner)
    const { ino, birthtimeMs } = await folder.stat()
    if (!owner || owner.ino !== ino || owner.birth !== birthtimeMs || isAlive(owner)) return
    await folder.utimes(0, 0)
  } finally {
    await folder.close()
  }
}

async function openIfThere(path: string) {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** False only when it is sure: on another host, or with its pid given to somebody else, it may live. */
function isAlive({ pid, host }: Owner): boolean {
  if (host !== hostname()) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ESRCH'
  }
}

async function lockIdentity(path: string): Promise<Pick<Owner, 'ino' | 'birth'>> {
  const { ino, birthtimeMs } = await stat(`${path}.lock`)
  return { ino, birth: birthtimeMs }
}

function self(): Pick<Owner, 'pid' | 'host'> {
  return { pid: process.pid, host: hostname() }
}
