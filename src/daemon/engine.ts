/**
 * An engine: the composition root. It reads as the order of a start, and the order of an end is its reverse.
 */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { type Logger, pino } from 'pino'
import type { ApiContext } from '../engine/api/context.ts'
import { type Listener, listen, preparePlace } from '../engine/api/listen.ts'
import { createApi } from '../engine/api/server.ts'
import { adoptContainers, dueAtBoot, startAtBoot } from '../engine/containers/adopt.ts'
import type { ContainerContext } from '../engine/containers/context.ts'
import { ExecSessions } from '../engine/containers/exec.ts'
import { containerExited } from '../engine/containers/exit.ts'
import { FilterCache } from '../engine/containers/filters.ts'
import { watchHealth } from '../engine/containers/health.ts'
import { RecordFiles } from '../engine/containers/record.ts'
import { ContainerTable } from '../engine/containers/table.ts'
import { EventBus } from '../engine/events.ts'
import { ImageStore } from '../engine/images/store.ts'
import { Poll } from '../engine/kernel/poll.ts'
import { Networks } from '../engine/network/networks.ts'
import { enginePaths } from '../engine/paths.ts'
import { makeCgroupParent } from '../engine/runtime/cgroups/tree.ts'
import { detectFeatures } from '../engine/runtime/features.ts'
import { VolumeStore } from '../engine/volumes/store.ts'
import { systemClock } from '../shared/clock.ts'
import { messageOf } from '../shared/errors.ts'
import { imagesFor, networksFor, volumesFor } from './engine-parts.ts'
import type { DaemonOptions } from './flags.ts'
import { groupId } from './group.ts'
import { lockEngine } from './lock.ts'
import { startSwarmPart } from './manager.ts'
import { swarmEngine } from './swarm-engine.ts'
import { packageVersion } from './version.ts'

export interface RunningEngine {
  log: Logger
  /** Ends the daemon; containers go on. */
  stop(): Promise<void>
}

/** @throws E_ENGINE_RUNS, E_NO_CGROUPS, E_HOST, E_TLS_FILE ...; then nothing of the daemon is left running */
export async function startEngine(options: DaemonOptions): Promise<RunningEngine> {
  const log = pino(
    { level: options.logLevel, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination(2),
  )
  const closers: (() => Promise<unknown> | unknown)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).toReversed()) {
      try {
        await close()
      } catch (error) {
        log.error({ err: error }, `stopping: ${messageOf(error)}`)
      }
    }
  }
  try {
    const where = { tls: options.tls, socketGid: groupId(options.group) }
    const places = await Promise.all(options.hosts.map((host) => preparePlace(host, where)))
    const paths = enginePaths(options.dataRoot, options.execRoot)
    closers.push(lockEngine(paths.lock))
    const features = detectFeatures()
    const poll = new Poll()
    closers.push(() => poll.stop())
    await poll.started()

    let accepting = true
    const events = new EventBus()
    const table = new ContainerTable(new RecordFiles(paths.containers), log)
    const images = await ImageStore.open({
      dataRoot: paths.dataRoot,
      log,
      clock: systemClock,
      emit: ({ Type, Action, Actor }) => events.emit(Type, Action, Actor.ID, Actor.Attributes),
      inUse: (id) =>
        table
          .all()
          .filter((c) => c.record.imageId === id)
          .map((c) => ({ id: c.id, running: c.isRunning })),
    })
    closers.push(() => images.close())
    const networks = await Networks.open({
      engineId: paths.engineId,
      dataRoot: paths.dataRoot,
      log,
      clock: systemClock,
      emit: ({ type, action, id, attributes }) => events.emit(type, action, id, attributes),
      bip: options.bip,
    })
    closers.push(() => networks.close())
    const volumes = await VolumeStore.open({
      dataRoot: paths.dataRoot,
      log,
      clock: systemClock,
      emit: ({ Type, Action, Actor }) => events.emit(Type, Action, Actor.ID, Actor.Attributes),
      inUse: (name) =>
        table
          .all()
          .filter((c) => c.record.mounts.some((m) => m.Name === name))
          .map((c) => c.id),
    })
    const execs = new ExecSessions(paths.execs)
    const containers: ContainerContext = {
      engineId: paths.engineId,
      features,
      poll,
      log,
      table,
      images: imagesFor(images),
      volumes: volumesFor(volumes, images),
      networks: networksFor(networks, (ref) => table.get(ref).id),
      events: {
        container: (action, id, attributes) => {
          const record = table.find(id)?.record
          const own = {
            ...record?.config.Labels,
            image: record?.config.Image ?? '',
            name: record?.name ?? '',
          }
          events.emit('container', action, id, { ...own, ...attributes })
        },
      },
      cgroup: { parent: paths.cgroup, inherited: makeCgroupParent(features.cgroups, paths.cgroup) },
      mountPoint: paths.mountPoint,
      openFiles: hardLimitOfOpenFiles(),
      filters: new FilterCache(),
      onRun: (container) => void watchHealth(containers, execs, container),
      onExit: (container, status) => containerExited(containers, container, status),
      accepting: () => accepting,
    }
    closers.push(() => {
      accepting = false
    })
    await adoptContainers(containers)
    networks.finishAdoption()
    await images.collect()
    const system = {
      id: paths.engineId,
      name: hostname(),
      version: packageVersion(),
      dataRoot: paths.dataRoot,
      labels: options.labels,
    }
    const swarm = await startSwarmPart({
      folder: paths.swarm,
      engine: swarmEngine({ containers, networks, events, version: system.version, labels: options.labels }),
      log,
      isOwnInterface: (name) => name.includes(paths.engineId),
    })
    closers.push(() => swarm.node.stop())

    const api: ApiContext = {
      containers,
      execs,
      events,
      images,
      networks,
      volumes,
      swarmNetworks: swarm.networks,
      log,
      system: { ...system, swarm: swarm.info },
    }
    const served = await createApi(api, [swarm.plugin])
    const listeners: Listener[] = []
    closers.push(() => Promise.all(listeners.map((l) => l.close())))
    for (const place of places) {
      listeners.push(await listen(served, place))
      log.info({ host: place.host }, 'API listens')
    }
    await startAtBoot(containers, dueAtBoot(containers))
    log.info(
      { dataRoot: paths.dataRoot, engineId: paths.engineId, cgroups: features.cgroups.version },
      'engine is ready',
    )
    return { log, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function hardLimitOfOpenFiles(): number {
  const limit = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]!
  return limit === 'unlimited' ? 1048576 : Number(limit)
}
