/** The daemon's start: containers that an earlier daemon left, running or not. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { causeChain, errnoOf, messageOf } from '../../shared/errors.ts'
import { processesNamed } from '../kernel/process.ts'
import { cgroupFolders } from '../runtime/cgroups/hierarchy.ts'
import { removeCgroup } from '../runtime/cgroups/tree.ts'
import { readExitRecord } from '../runtime/exit-record.ts'
import { keeperName } from '../runtime/plan/keeper.ts'
import { adoptProcess } from '../runtime/running.ts'
import type { Container } from './container.ts'
import { type ContainerContext, cgroupPathOf } from './context.ts'
import { nowText } from './create.ts'
import { timeText } from './exit.ts'
import { InputWriter } from './input.ts'
import { destroyContainer } from './remove.ts'
import { shouldStartAtBoot } from './restart-policy.ts'
import { handlers, startContainer } from './start.ts'

/** Loads all records, adopts what runs, settles what ended meanwhile, clears what is broken. */
export async function adoptContainers(context: ContainerContext): Promise<void> {
  const { table, log } = context
  const records = table.files.load(
    (folder) => {
      log.warn({ folder }, 'removed what a crash left of a container')
      rmSync(folder, { recursive: true, force: true })
    },
    (folder, error) => log.error({ folder }, `a container's record can't be read: ${messageOf(error)}`),
  )
  for (const record of records) {
    try {
      await adopt(context, table.add(record))
    } catch (error) {
      // The others are not to suffer for it.
      log.error({ container: record.id, causes: causeChain(error) }, 'a container could not be adopted')
    }
  }
  sweepCgroups(context)
  sweepKeepers(context)
}

/** Starts what its restart policy wants running, once everything else is ready. */
export async function startAtBoot(context: ContainerContext, containers: Container[]): Promise<void> {
  for (const container of containers) {
    try {
      await startContainer(context, container)
    } catch (error) {
      context.log.warn({ container: container.id }, `start by restart policy: ${messageOf(error)}`)
    }
  }
}

/** Those that do not run and should. */
export function dueAtBoot(context: ContainerContext): Container[] {
  return context.table.all().filter((c) => !c.isRunning && shouldStartAtBoot(c.record))
}

async function adopt(context: ContainerContext, container: Container): Promise<void> {
  const { record } = container
  if (record.state.status === 'removing') {
    await destroyContainer(context, container, { volumes: true })
    return
  }
  if (record.state.status === 'restarting') record.state.status = 'exited'
  if (!container.isRunning) return
  const running =
    record.process &&
    adoptProcess({
      record: record.process,
      folder: container.folder,
      exitRecordPath: container.exitRecordPath,
      poll: context.poll,
      ...handlers(context, container),
    })
  if (!running) {
    await settleLost(context, container)
    return
  }
  if (running.stdinFd !== undefined && record.config.OpenStdin) {
    container.input = new InputWriter(running.stdinFd, running.closeStdin)
  }
  container.runBegan(running)
  context.networks.adopt(record.id, record.state.pid)
  context.onRun(container)
}

/** It ended, and was even reaped, while no daemon looked: the exit record has the rest. */
async function settleLost(context: ContainerContext, container: Container): Promise<void> {
  const { record } = container
  const status = record.process && readExitRecord(container.exitRecordPath)
  record.state = {
    ...record.state,
    status: 'exited',
    pid: 0,
    exitCode: status?.exitCode ?? 255,
    finishedAt: status ? timeText(status.finishedAtNs) : nowText(),
  }
  record.process = undefined
  context.table.note(container)
  context.networks.detach(record.id)
  await removeCgroup(context.features.cgroups, cgroupPathOf(context, record.id))
  if (record.hostConfig.AutoRemove) await destroyContainer(context, container, { volumes: true })
}

/** Cgroups of containers that are no more: a daemon died between making them and the start. */
function sweepCgroups(context: ContainerContext): void {
  const [folder] = cgroupFolders(context.features.cgroups, context.cgroup.parent)
  if (!folder || !existsSync(folder)) return
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory() || !/^[0-9a-f]{64}$/.test(entry.name)) continue
    if (context.table.find(entry.name)?.isRunning || isUnreadable(context, entry.name)) continue
    const pids = readFileSync(`${folder}/${entry.name}/cgroup.procs`, 'utf8').split('\n').filter(Boolean)
    for (const pid of pids) endProcess(Number(pid))
    removeCgroup(context.features.cgroups, cgroupPathOf(context, entry.name)).catch((error: unknown) =>
      context.log.warn({ cgroup: entry.name }, `orphaned cgroup stays: ${messageOf(error)}`),
    )
  }
}

/**
 * Keepers of runs that no record tells of: a daemon died between the start and the note of it. The container is
 * gone with its cgroup; the keeper would wait for its release for ever.
 */
function sweepKeepers(context: ContainerContext): void {
  for (const { pid, args } of processesNamed(keeperName)) {
    const [, engineId, id = '', session] = args
    // A session's keeper ends with its session.
    if (engineId !== context.engineId || session || isUnreadable(context, id)) continue
    if (context.table.find(id)?.record.process?.keeperPid !== pid) endProcess(pid)
  }
}

/** A container of another version of this engine: what runs of it is that one's. */
function isUnreadable({ table }: ContainerContext, id: string): boolean {
  return !table.find(id) && existsSync(table.files.folderOf(id))
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It was quicker.
    if (errnoOf(error) !== 'ESRCH') throw error
  }
}
