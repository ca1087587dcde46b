/** The OCI command's other verbs (runtime.md, "Operations"), each over the state that `create` left. */
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../../shared/deadline.ts'
import { errnoOf } from '../../../shared/errors.ts'
import { O_NONBLOCK, O_WRONLY } from '../../kernel/constants.ts'
import { openPidfd, reapPidfd, SIGKILL, signalPidfd } from '../../kernel/process.ts'
import { cgroupFolders, detectHierarchy } from '../cgroups/hierarchy.ts'
import { removeCgroup } from '../cgroups/tree.ts'
import { fail } from '../errors.ts'
import { type ContainerState, ociVersion, type StateStore } from './state.ts'

/** Lets the user's program begin. @throws E_CONTAINER_STATE unless it is created and not started */
export function startContainer(store: StateStore, id: string): void {
  const state = store.load(id)
  const status = store.statusOf(state)
  if (status !== 'created') throw fail('E_CONTAINER_STATE', { id, status, wanted: 'created' })
  // The waiting process has the FIFO open; where nobody has, this fails with ENXIO instead of waiting.
  let fd: number
  try {
    fd = openSync(store.fifo(id), O_WRONLY | O_NONBLOCK)
  } catch (error) {
    if (errnoOf(error) === 'ENXIO')
      throw fail('E_CONTAINER_STATE', { id, status: 'stopped', wanted: 'created' })
    throw error
  }
  try {
    writeSync(fd, '1')
  } finally {
    closeSync(fd)
  }
  rmSync(store.fifo(id))
}

/** The state as the specification shows it. */
export function describeState(store: StateStore, id: string): object {
  return stateDocument(store, store.load(id))
}

export function listStates(store: StateStore): object[] {
  return store.list().map((state) => stateDocument(store, state))
}

function stateDocument(store: StateStore, state: ContainerState): object {
  const status = store.statusOf(state)
  return {
    ociVersion,
    id: state.id,
    pid: status === 'stopped' ? 0 : state.pid,
    status,
    bundle: state.bundle,
    created: state.created,
    ...(state.annotations ? { annotations: state.annotations } : {}),
  }
}

/**
 * Sends a signal to the first process, or to all.
 * @throws E_CONTAINER_STATE where it has ended
 */
export function killContainer(store: StateStore, id: string, signal: number, all = false): void {
  const state = store.load(id)
  if (all) {
    for (const pid of processesOf(state)) signalPid(pid, signal)
    return
  }
  const status = store.statusOf(state)
  if (status === 'stopped' || !signalPid(state.pid, signal)) {
    throw fail('E_CONTAINER_STATE', { id, status: 'stopped', wanted: 'created or running' })
  }
}

/** Every process in the container's cgroup. */
export function processesOf(state: ContainerState): number[] {
  const folder = cgroupFolders(detectHierarchy(), state.cgroupPath)[0]!
  if (!existsSync(folder)) return []
  return readFileSync(`${folder}/cgroup.procs`, 'utf8').split('\n').filter(Boolean).map(Number)
}

/** Removes what is left of a container. @throws E_CONTAINER_STATE while it runs, unless forced */
export async function deleteContainer(store: StateStore, id: string, force: boolean): Promise<void> {
  const state = store.load(id)
  const status = store.statusOf(state)
  if (status !== 'stopped') {
    if (!force && status === 'running') throw fail('E_CONTAINER_STATE', { id, status, wanted: 'stopped' })
    signalPid(state.pid, SIGKILL)
    await waitFor(`container ${id} to end`, () => store.statusOf(state) === 'stopped' || undefined, {
      timeoutMs: 10_000,
      everyMs: 5,
    })
  }
  // A container without a PID namespace of its own may leave processes.
  for (let i = 0; i < 100 && processesOf(state).length > 0; i++) {
    for (const pid of processesOf(state)) signalPid(pid, SIGKILL)
    await sleep(10)
  }
  await removeCgroup(detectHierarchy(), state.cgroupPath)
  store.forget(id)
}

/** Waits for a container that is our child; its exit code, or 128 and the signal. */
export async function waitForChild(pid: number): Promise<number> {
  const pidfd = openPidfd(pid)
  try {
    for (let everyMs = 1; ; everyMs = Math.min(everyMs * 2, 20)) {
      const status = reapPidfd(pidfd)
      if (status !== undefined) return status
      await sleep(everyMs)
    }
  } finally {
    closeSync(pidfd)
  }
}

/** "TERM", "SIGTERM" or "15". Undefined for anything else. */
export function signalNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text)
    return number > 0 && number <= 64 ? number : undefined
  }
  const name = text.toUpperCase().replace(/^(SIG)?/, 'SIG')
  return (constants.signals as Record<string, number>)[name]
}

function signalPid(pid: number, signal: number): boolean {
  let pidfd: number
  try {
    pidfd = openPidfd(pid)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw error
  }
  try {
    return signalPidfd(pidfd, signal)
  } finally {
    closeSync(pidfd)
  }
}
