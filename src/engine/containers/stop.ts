/** stop, kill, pause: signals, and waiting for what they do. */

import { writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { within } from '../../shared/deadline.ts'
import { controllerFolder } from '../runtime/cgroups/hierarchy.ts'
import type { Container } from './container.ts'
import { type ContainerContext, cgroupPathOf } from './context.ts'
import { fail } from './errors.ts'
import { signalNumber } from './signals.ts'
import { startContainer } from './start.ts'

const defaultGraceMs = 10_000
/** After SIGKILL only the kernel's clean-up is left. */
const killedMs = 30_000

export interface StopOptions {
  signal?: string
  /** Until SIGKILL; negative for never. The container's own, or ten seconds, when left out. */
  graceMs?: number
}

/** @throws E_ALREADY_STOPPED */
export async function stopContainer(
  context: ContainerContext,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  const { record } = container
  const signal = signalNumber(options.signal ?? record.config.StopSignal ?? 'SIGTERM')
  const graceMs =
    options.graceMs ??
    (record.config.StopTimeout === undefined ? defaultGraceMs : record.config.StopTimeout * 1000)
  record.stoppedByUser = true
  if (record.state.status === 'restarting') {
    clearTimeout(container.restartTimer)
    record.state.status = 'exited'
  } else {
    if (!container.isRunning) {
      context.table.note(container)
      throw fail('E_ALREADY_STOPPED', { id: container.id })
    }
    await endRun(context, container, signal, graceMs)
  }
  context.table.note(container)
  context.events.container('stop', container.id, {})
}

async function endRun(
  context: ContainerContext,
  container: Container,
  signal: number,
  graceMs: number,
): Promise<void> {
  const exited = container.nextExit()
  try {
    if (container.record.state.status === 'paused') unpause(context, container)
    context.events.container('kill', container.id, { signal: String(signal) })
    container.running?.signal(signal)
    if (graceMs < 0) {
      await exited.promise
      return
    }
    const ended = await Promise.race([exited.promise.then(() => true), delay(graceMs).then(() => false)])
    if (ended) return
    context.events.container('kill', container.id, { signal: String(constants.signals.SIGKILL) })
    container.running?.signal(constants.signals.SIGKILL)
    await within(`container ${container.id.slice(0, 12)} to end after SIGKILL`, killedMs, exited.promise)
  } finally {
    exited.cancel()
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

/** @throws E_NOT_RUNNING */
export function killContainer(context: ContainerContext, container: Container, signalName = 'SIGKILL'): void {
  const signal = signalNumber(signalName)
  if (!container.isRunning) throw fail('E_NOT_RUNNING', { id: container.id })
  const { record } = container
  // A signal that ends it is the user's wish that it ends; any other is between him and the program.
  const stop = record.config.StopSignal ? signalNumber(record.config.StopSignal) : constants.signals.SIGTERM
  if (signal === constants.signals.SIGKILL || signal === stop) {
    record.stoppedByUser = true
    context.table.note(container)
  }
  if (record.state.status === 'paused' && signal === constants.signals.SIGKILL) unpause(context, container)
  container.running?.signal(signal)
  context.events.container('kill', container.id, { signal: String(signal) })
}

/** @throws what `start` does */
export async function restartContainer(
  context: ContainerContext,
  container: Container,
  options: StopOptions = {},
): Promise<void> {
  if (container.isRunning || container.record.state.status === 'restarting') {
    await stopContainer(context, container, options)
  }
  await startContainer(context, container)
  context.events.container('restart', container.id, {})
}

/** @throws E_NOT_RUNNING, E_PAUSED */
export function pauseContainer(context: ContainerContext, container: Container): void {
  if (container.record.state.status === 'paused')
    throw fail('E_PAUSED', { id: container.id, action: 'pause' })
  if (!container.isRunning) throw fail('E_NOT_RUNNING', { id: container.id })
  freeze(context, container, true)
  container.record.state.status = 'paused'
  context.table.note(container)
  context.events.container('pause', container.id, {})
}

/** @throws E_NOT_PAUSED */
export function unpauseContainer(context: ContainerContext, container: Container): void {
  if (container.record.state.status !== 'paused') throw fail('E_NOT_PAUSED', { id: container.id })
  unpause(context, container)
  context.events.container('unpause', container.id, {})
}

function unpause(context: ContainerContext, container: Container): void {
  freeze(context, container, false)
  container.record.state.status = 'running'
  context.table.note(container)
}

function freeze(context: ContainerContext, container: Container, frozen: boolean): void {
  const folder = controllerFolder(context.features.cgroups, 'freezer', cgroupPathOf(context, container.id))
  if (!folder) throw fail('E_UNSUPPORTED', { what: 'pause without the freezer cgroup' })
  if (context.features.cgroups.version === 2) writeFileSync(`${folder}/cgroup.freeze`, frozen ? '1' : '0')
  else writeFileSync(`${folder}/freezer.state`, frozen ? 'FROZEN' : 'THAWED')
}
