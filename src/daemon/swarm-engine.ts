/** The engine as the swarm's agent knows it: the agent declares what it needs, this fills it in. */
import { arch, cpus, hostname, totalmem } from 'node:os'
import type { Container } from '../engine/containers/container.ts'
import type { ContainerContext } from '../engine/containers/context.ts'
import { type CreateRequest, createContainer } from '../engine/containers/create.ts'
import { removeContainer } from '../engine/containers/remove.ts'
import { startContainer } from '../engine/containers/start.ts'
import { stopContainer } from '../engine/containers/stop.ts'
import type { EventBus } from '../engine/events.ts'
import type { Networks } from '../engine/network/networks.ts'
import { isFailure } from '../shared/errors.ts'
import type { ContainerNews, ContainerState, Engine } from '../swarm/agent/engine.ts'

export interface SwarmEngineParts {
  containers: ContainerContext
  networks: Networks
  events: EventBus
  version: string
  labels: string[]
}

const goArch: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' }

export function swarmEngine(parts: SwarmEngineParts): Engine {
  const { containers, networks, events } = parts
  const { table } = containers
  return {
    describe: async () => ({
      Hostname: hostname(),
      Platform: { Architecture: goArch[arch()] ?? arch(), OS: 'linux' },
      Resources: { NanoCPUs: cpus().length * 1e9, MemoryBytes: totalmem() },
      Engine: {
        EngineVersion: parts.version,
        Labels: Object.fromEntries(parts.labels.map((label) => label.split(/=(.*)/s, 2) as [string, string])),
        Plugins: [
          ...['bridge', 'host', 'null', 'overlay'].map((Name) => ({ Type: 'Network', Name })),
          { Type: 'Volume', Name: 'local' },
          ...['json-file', 'local'].map((Name) => ({ Type: 'Log', Name })),
        ],
      },
    }),

    // There is no registry client yet: what is not here can't come here.
    ensureImage: async (image) => void containers.images.resolve(image),

    createContainer: async (name, body) =>
      (await createContainer(containers, name, body as unknown as CreateRequest)).id,

    startContainer: async (id) => {
      const container = table.get(id)
      try {
        await startContainer(containers, container)
      } catch (error) {
        if (!isFailure(error, 'E_ALREADY_STARTED')) throw error
      }
      return stateOf(container)
    },

    stopContainer: async (id, { signal, graceMs }) => {
      const container = table.find(id)
      if (!container) return
      try {
        await stopContainer(containers, container, { signal, graceMs })
      } catch (error) {
        if (!isFailure(error, 'E_ALREADY_STOPPED')) throw error
      }
    },

    removeContainer: async (id) => {
      const container = table.find(id)
      if (!container) return
      try {
        await removeContainer(containers, container, { force: true, volumes: true })
      } catch (error) {
        if (!isFailure(error, 'E_BEING_REMOVED')) throw error
      }
    },

    watchContainers: (label, signal) => watch(containers, events, label, signal),

    applyNetwork: async (state) => networks.apply(state),
  }
}

const states: Record<string, ContainerState['state']> = {
  running: 'running',
  paused: 'paused',
  created: 'created',
}

function stateOf(container: Container): ContainerState {
  const { id, record } = container
  const { state } = record
  return {
    id,
    labels: record.config.Labels,
    state: states[state.status] ?? 'exited',
    ...(state.pid ? { pid: state.pid } : {}),
    ...(states[state.status] ? {} : { exitCode: state.exitCode, oomKilled: state.oomKilled }),
    ...(state.status === 'running' && state.health ? { health: state.health.Status } : {}),
  }
}

/** After these a container's state is another. */
const changing = /^(create|start|die|pause|unpause|health_status: .*)$/

async function* watch(
  containers: ContainerContext,
  events: EventBus,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<ContainerNews> {
  const { table } = containers
  const wanted = (container: Container | undefined) => container?.record.config.Labels[label] !== undefined
  const queue: ContainerNews[] = []
  const known = new Set<string>()
  let wake = () => {}
  const unsubscribe = events.subscribe(({ Type, Action, Actor: { ID } }) => {
    if (Type !== 'container') return
    if (Action === 'destroy' && known.delete(ID)) queue.push({ gone: ID })
    const container = table.find(ID)
    if (changing.test(Action) && container && wanted(container)) {
      known.add(ID)
      queue.push({ container: stateOf(container) })
    }
    wake()
  })
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    for (const container of table.all().filter(wanted)) {
      known.add(container.id)
      yield { container: stateOf(container) }
    }
    yield { synced: true }
    while (!signal.aborted) {
      const news = queue.shift()
      if (news) yield news
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  } finally {
    unsubscribe()
    signal.removeEventListener('abort', onAbort)
  }
}
