/**
 * Network namespaces as descriptors. A namespace lives as long as a process is in it or a descriptor of it is
 * open, so what is made here has no name on the file system and leaves nothing behind after a crash.
 *
 * Entering one changes the calling thread only (setns(2)), and only for the length of a synchronous function:
 * nothing else of this thread can run in between, and libuv's threads stay where they are.
 */
import { closeSync, fstatSync } from 'node:fs'
import { CLONE_NEWNET, O_CLOEXEC, O_RDONLY } from './constants.ts'
import { closeFd, openPath, setns, unshare } from './libc.ts'

/** A synchronous function's result: a promise would go on outside the namespace. */
type Immediate<T> = T extends PromiseLike<unknown> ? never : T

/** Of the calling thread. `/proc/self` would be the main thread's, whoever asks. */
const ownPath = '/proc/thread-self/ns/net'

/** The namespace that this thread is in now; close-on-exec. The caller closes it. */
export function openOwnNamespace(): number {
  return openPath(ownPath, O_RDONLY | O_CLOEXEC, 0)
}

/**
 * A new network namespace with nothing in it but a loopback device that is down.
 * @returns a descriptor of it, close-on-exec; the namespace goes when the last one is closed
 * @throws SystemCallError (EPERM without CAP_SYS_ADMIN, ENOSPC at the limit of user.max_net_namespaces)
 */
export function createNamespace(): number {
  return keepingNamespace(() => {
    unshare(CLONE_NEWNET)
    return openOwnNamespace()
  })
}

/** The network namespace of a process. @throws SystemCallError ENOENT where there is no such process */
export function openNamespaceOf(pid: number): number {
  return openPath(`/proc/${pid}/ns/net`, O_RDONLY | O_CLOEXEC, 0)
}

/**
 * Runs a function inside a namespace. Nested calls are fine.
 * @param namespace a descriptor of it; undefined runs the function where the thread is
 */
export function inNamespace<T>(namespace: number | undefined, fn: () => Immediate<T>): T {
  if (namespace === undefined) return fn()
  return keepingNamespace(() => {
    setns(namespace, CLONE_NEWNET)
    return fn()
  })
}

/** Names a namespace for as long as it lives: two descriptors are of the same one when these are equal. */
export function namespaceId(namespace: number): string {
  const { dev, ino } = fstatSync(namespace)
  return `${dev}:${ino}`
}

/** Runs a function that may leave this namespace, and comes back to it whatever happens. */
function keepingNamespace<T>(fn: () => T): T {
  const home = openOwnNamespace()
  try {
    return fn()
  } finally {
    // Coming back can't fail: the descriptor is valid, and joining asks for no more rights than leaving did.
    setns(home, CLONE_NEWNET)
    closeFd(home)
  }
}

/** Closes a namespace's descriptor. */
export function closeNamespace(namespace: number): void {
  closeSync(namespace)
}
