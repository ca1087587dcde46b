import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { flock } from '../engine/kernel/libc.ts'
import { errnoOf, failures } from '../shared/errors.ts'

const fail = failures({
  E_ENGINE_RUNS: {
    kind: 'user',
    exit: 1,
    text: (p: { path: string; pid: number }) => `another engine (pid ${p.pid}) has this data root: ${p.path}`,
    next: () => 'stop it, or give this one a --data-root of its own',
  },
} as const)

const LOCK_EX = 2
const LOCK_NB = 4

/**
 * Takes a data root for this process, by a lock that the kernel lets go of when the process ends in any way
 * (flock(2)). The pid in the file is for those who ask who has it.
 * @returns the release, which takes the file away
 * @throws E_ENGINE_RUNS
 */
export function lockEngine(path: string): () => void {
  for (;;) {
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
    try {
      flock(fd, LOCK_EX | LOCK_NB)
      // Its last holder may have taken the file away in between: then this is the lock of no path.
      if (fstatSync(fd).ino !== statSync(path, { throwIfNoEntry: false })?.ino) {
        closeSync(fd)
        continue
      }
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`, 0)
    } catch (error) {
      closeSync(fd)
      if (!['EAGAIN', 'EWOULDBLOCK'].includes(errnoOf(error) ?? '')) throw error
      throw fail('E_ENGINE_RUNS', { path, pid: holderOf(path) }, error)
    }
    return () => {
      rmSync(path, { force: true })
      closeSync(fd)
    }
  }
}

/** 0 where it has not said so yet, or is gone by now. */
function holderOf(path: string): number {
  try {
    return Number.parseInt(readFileSync(path, 'utf8'), 10) || 0
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0
    throw error
  }
}
