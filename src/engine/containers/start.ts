/** From a container to a running process: the steps, in order; each is undone when a later one fails. */
import { closeSync, writeFileSync } from 'node:fs'
import { isFailure, messageOf } from '../../shared/errors.ts'
import { loadDeviceProgram } from '../kernel/device-filter.ts'
import { removeCgroup } from '../runtime/cgroups/tree.ts'
import type { ExitStatus } from '../runtime/exit-record.ts'
import { planContainer } from '../runtime/plan/container.ts'
import { firstExtraFd } from '../runtime/plan/context.ts'
import { keeperName } from '../runtime/plan/keeper.ts'
import { startProcess } from '../runtime/running.ts'
import type { Container } from './container.ts'
import { type ContainerContext, cgroupPathOf, type NetworkSetup } from './context.ts'
import { networkRequest, nowText } from './create.ts'
import { diskFailure, fail } from './errors.ts'
import { InputWriter } from './input.ts'
import { joinedNamespaces } from './joined.ts'
import { destroyContainer } from './remove.ts'
import { commandOf, toSpec } from './spec.ts'

/**
 * Starts a container that does not run.
 * @throws E_ALREADY_STARTED, E_PAUSED, E_NO_EXECUTABLE, E_START, ...; then it is as before, with the error noted
 */
export async function startContainer(context: ContainerContext, container: Container): Promise<void> {
  await container.exclusively(async () => {
    const { state } = container.record
    if (state.status === 'paused') throw fail('E_PAUSED', { id: container.id, action: 'start' })
    if (state.status === 'running') throw fail('E_ALREADY_STARTED', { id: container.id })
    if (state.status === 'removing' || state.status === 'dead')
      throw fail('E_BEING_REMOVED', { id: container.id })
    clearTimeout(container.restartTimer)
    container.record.stoppedByUser = false
    try {
      await startRun(context, container)
    } catch (error) {
      // Who is attached or waits for its end waits for something that will not come.
      container.signals.emit('exit', container.record.state.exitCode)
      if (container.record.hostConfig.AutoRemove)
        await destroyContainer(context, container, { volumes: true })
      throw error
    }
  })
}

/** Starts a run; the caller holds the container. */
export async function startRun(context: ContainerContext, container: Container): Promise<void> {
  const { record } = container
  try {
    const setup = context.networks.attach(networkRequest(record))
    try {
      await runWith(context, container, setup)
    } catch (error) {
      context.networks.detach(record.id)
      throw error
    }
  } catch (raw) {
    const error = diskFailure(raw, container.folder)
    noteFailure(context, container, error)
    throw error
  }
}

function noteFailure(context: ContainerContext, container: Container, error: unknown): void {
  const { record } = container
  const exitCode = isFailure(error, 'E_NO_EXECUTABLE')
    ? 127
    : isFailure(error, 'E_NOT_EXECUTABLE')
      ? 126
      : 128
  record.state = {
    ...record.state,
    status: record.state.startedAt.startsWith('0001') ? 'created' : 'exited',
    pid: 0,
    exitCode,
    error: messageOf(error),
  }
  context.table.note(container)
}

async function runWith(context: ContainerContext, container: Container, setup: NetworkSetup): Promise<void> {
  const { record, folder } = container
  writeManagedFiles(folder, record.config.Hostname, setup)
  const upper = `${folder}/upper`
  const layerFolders = record.layers.toReversed().map((layer) => `${context.images.layersFolder}/${layer}`)
  const identity = await context.images.identity(record.config.User, record.hostConfig.GroupAdd ?? [], [
    upper,
    ...layerFolders,
  ])
  const cgroupPath = cgroupPathOf(context, record.id)
  const extraFds: number[] = []
  const ours: number[] = []
  const { namespace } = setup
  if (namespace.kind === 'join') extraFds.push(namespace.fd)
  const spec = toSpec({
    record,
    folder,
    cgroupPath,
    identity,
    openFiles: context.openFiles,
    network: namespace.kind === 'join' ? { path: `/proc/self/fd/${firstExtraFd}` } : { kind: namespace.kind },
    joined: joinedNamespaces(context, record),
    deepReadonly: context.features.mountSetattr,
  })
  try {
    let deviceProgramFd: number | undefined
    if (context.features.cgroups.version === 2) {
      ours.push(loadDeviceProgram(spec.linux?.resources?.devices ?? []))
      deviceProgramFd = firstExtraFd + extraFds.length
      extraFds.push(ours[0]!)
    }
    const tape = planContainer({
      id: record.id,
      spec,
      features: context.features,
      overlay: {
        folder: context.images.layersFolder,
        lower: record.layers.toReversed(),
        upper,
        work: `${folder}/work`,
        mountPoint: context.mountPoint,
      },
      cgroup: {
        path: cgroupPath,
        resources: spec.linux?.resources ?? {},
        ...context.cgroup.inherited,
        deviceProgramFd,
      },
      seccomp: context.filters.of(spec.linux?.seccomp),
      extraFds: extraFds.length,
    })
    const running = await startProcess({
      tape,
      argv: [keeperName, context.engineId, record.id],
      program: commandOf(record.config)[0]!,
      stdin: record.config.OpenStdin,
      terminal: record.config.Tty,
      folder,
      exitRecordPath: container.exitRecordPath,
      extraFds,
      poll: context.poll,
      ...handlers(context, container),
    })
    record.process = running.record
    record.state = {
      status: 'running',
      pid: running.record.pid,
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: nowText(),
      finishedAt: record.state.finishedAt,
    }
    if (running.stdinFd !== undefined && record.config.OpenStdin) {
      container.input = new InputWriter(running.stdinFd, running.closeStdin)
    }
    container.runBegan(running)
    context.table.note(container)
    context.events.container('start', record.id, {})
    context.onRun(container)
  } catch (error) {
    await removeCgroup(context.features.cgroups, cgroupPath)
    throw error
  } finally {
    for (const fd of ours) closeSync(fd)
  }
}

/** Output that can't be stored is tried again five times a second; after this long without word it could be. */
const storedAgainMs = 5000

/** What a run tells us while it lives; the same for one that is started and one that is adopted. */
export function handlers(context: ContainerContext, container: Container) {
  let saidAt = Number.NEGATIVE_INFINITY
  return {
    onExit: (status: ExitStatus) => context.onExit(container, status),
    onBytes: () => container.signals.emit('bytes'),
    onLogError: (message: string) => {
      const now = performance.now()
      if (now - saidAt > storedAgainMs)
        context.log.warn(
          { container: container.id, message },
          'output can not be stored; the container waits',
        )
      saidAt = now
    },
  }
}

/** The files that Docker manages in each container; truncated and written anew, since they are bind mounts' sources. */
function writeManagedFiles(folder: string, hostname: string, setup: NetworkSetup): void {
  for (const [name, content] of [
    ['hostname', `${hostname}\n`],
    ['hosts', setup.hosts],
    ['resolv.conf', setup.resolvConf],
  ] as const) {
    writeFileSync(`${folder}/${name}`, content, { mode: 0o644 })
  }
}
