/** GET /containers/{id}/json and GET /containers/json: a container as the API shows it. */
import { humanDuration } from '../../shared/units.ts'
import type { Container } from './container.ts'
import type { ContainerContext } from './context.ts'
import { networkRequest } from './create.ts'
import type { ExecSessions } from './exec.ts'
import { commandOf } from './spec.ts'
import type { PortBinding } from './types.ts'

export function inspectContainer(
  context: ContainerContext,
  execs: ExecSessions,
  container: Container,
): object {
  const { record, folder } = container
  const { state, config, hostConfig } = record
  const [path, ...args] = commandOf(config)
  const execIds = execs.idsOf(container)
  return {
    Id: record.id,
    Created: record.created,
    Path: path,
    Args: args,
    State: {
      Status: state.status,
      Running: container.isRunning || state.status === 'restarting',
      Paused: state.status === 'paused',
      Restarting: state.status === 'restarting',
      OOMKilled: state.oomKilled,
      Dead: state.status === 'dead',
      Pid: state.pid,
      ExitCode: state.exitCode,
      Error: state.error,
      StartedAt: state.startedAt,
      FinishedAt: state.finishedAt,
      ...(state.health ? { Health: state.health } : {}),
    },
    Image: record.imageId,
    ResolvConfPath: `${folder}/resolv.conf`,
    HostnamePath: `${folder}/hostname`,
    HostsPath: `${folder}/hosts`,
    LogPath: container.logs.stdout,
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: execIds.length > 0 ? execIds : null,
    HostConfig: hostConfig,
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        LowerDir: record.layers
          .toReversed()
          .map((l) => `${context.images.layersFolder}/${l}`)
          .join(':'),
        UpperDir: `${folder}/upper`,
        WorkDir: `${folder}/work`,
      },
    },
    Mounts: record.mounts,
    Config: config,
    NetworkSettings: context.networks.view(networkRequest(record)),
  }
}

/** A row of `docker ps`. */
export function summarizeContainer(context: ContainerContext, container: Container): object {
  const { record } = container
  const view = context.networks.view(networkRequest(record))
  return {
    Id: record.id,
    Names: [`/${record.name}`],
    Image: record.config.Image,
    ImageID: record.imageId,
    Command: commandOf(record.config).map(quoteWord).join(' '),
    Created: Math.floor(Date.parse(record.created) / 1000),
    Ports: portRows(view.Ports, container),
    Labels: record.config.Labels,
    State: record.state.status,
    Status: statusText(container),
    HostConfig: { NetworkMode: record.hostConfig.NetworkMode },
    NetworkSettings: { Networks: view.Networks },
    Mounts: record.mounts,
  }
}

function quoteWord(word: string): string {
  return /\s/.test(word) ? `'${word}'` : word
}

function portRows(ports: Record<string, PortBinding[] | null>, container: Container): object[] {
  if (!container.isRunning) return []
  return Object.entries(ports).flatMap(([key, bindings]) => {
    const [port, type = 'tcp'] = key.split('/')
    const privatePort = Number(port)
    if (!bindings?.length) return [{ PrivatePort: privatePort, Type: type }]
    return bindings.map(({ HostIp, HostPort }) => ({
      IP: HostIp || '0.0.0.0',
      PrivatePort: privatePort,
      PublicPort: Number(HostPort),
      Type: type,
    }))
  })
}

/** "Up 3 hours (healthy)", "Exited (1) 2 days ago", ...: the words of docker ps. */
export function statusText(container: Container, nowMs = Date.now()): string {
  const { state } = container.record
  const since = (time: string) => humanDuration(Math.max(0, nowMs - Date.parse(time)))
  switch (state.status) {
    case 'running': {
      const health = state.health
        ? ` (${state.health.Status === 'starting' ? 'health: starting' : state.health.Status})`
        : ''
      return `Up ${since(state.startedAt)}${health}`
    }
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`
    case 'removing':
      return 'Removal In Progress'
    case 'dead':
      return 'Dead'
    default:
      return 'Created'
  }
}
