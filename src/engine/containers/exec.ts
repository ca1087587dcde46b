/** Exec sessions: a further process in a running container, with a keeper of its own. */
import { closeSync, mkdirSync, rmSync } from 'node:fs'
import { errnoOf, isFailure } from '../../shared/errors.ts'
import { newHexId } from '../../shared/ids.ts'
import { openPidfd } from '../kernel/process.ts'
import { planExec } from '../runtime/plan/exec.ts'
import { keeperName } from '../runtime/plan/keeper.ts'
import { type Running, startProcess } from '../runtime/running.ts'
import type { Process } from '../runtime/spec.ts'
import type { Container } from './container.ts'
import { type ContainerContext, cgroupPathOf } from './context.ts'
import { fail } from './errors.ts'
import { InputWriter } from './input.ts'
import { namespaceFlagsOf } from './namespaces.ts'
import { toCapabilities, toRlimits } from './resources.ts'
import { capabilitySets, environment, seccompOf, securityOptions } from './spec.ts'

/** The body of POST /containers/{id}/exec. */
export interface ExecRequest {
  AttachStdin?: boolean
  AttachStdout?: boolean
  AttachStderr?: boolean
  DetachKeys?: string
  Tty?: boolean
  Env?: string[]
  Cmd?: string[]
  Privileged?: boolean
  User?: string
  WorkingDir?: string
  ConsoleSize?: [number, number]
}

export interface ExecSession {
  id: string
  container: Container
  request: ExecRequest
  state: 'created' | 'running' | 'ended'
  pid: number
  exitCode: number | null
  running?: Running
  input?: InputWriter
  /** Resolves when it has ended. */
  ended: Promise<void>
  markEnded: () => void
}

/** Sessions that have ended stay this long, for whoever asks for their exit code. */
const keepEndedMs = 5 * 60_000

export class ExecSessions {
  private readonly byId = new Map<string, ExecSession>()
  private readonly folder: string

  /** @param folder for exit records; emptied here */
  constructor(folder: string) {
    this.folder = folder
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  }

  /** @throws E_NOT_RUNNING, E_PAUSED, E_NO_COMMAND */
  create(container: Container, request: ExecRequest): ExecSession {
    if (container.record.state.status === 'paused')
      throw fail('E_PAUSED', { id: container.id, action: 'exec in' })
    if (!container.isRunning) throw fail('E_NOT_RUNNING', { id: container.id })
    if (!request.Cmd?.length) throw fail('E_NO_COMMAND', {})
    let markEnded: () => void = () => undefined
    const ended = new Promise<void>((resolve) => {
      markEnded = resolve
    })
    const session: ExecSession = {
      id: newHexId(),
      container,
      request,
      state: 'created',
      pid: 0,
      exitCode: null,
      ended,
      markEnded,
    }
    this.byId.set(session.id, session)
    return session
  }

  /** @throws E_NO_SUCH_EXEC */
  get(id: string): ExecSession {
    const session = this.byId.get(id)
    if (!session) throw fail('E_NO_SUCH_EXEC', { id })
    return session
  }

  idsOf(container: Container): string[] {
    return [...this.byId.values()]
      .filter((s) => s.container === container && s.state === 'running')
      .map((s) => s.id)
  }

  /**
   * Starts it. Its output is `session.running.output`, which the caller reads to the end and closes.
   * @throws E_EXEC_STARTED, E_NOT_RUNNING, E_NO_EXECUTABLE, E_START ...
   */
  async start(context: ContainerContext, session: ExecSession): Promise<Running> {
    const { container, request } = session
    if (session.state !== 'created') throw fail('E_EXEC_STARTED', { id: session.id })
    if (!container.isRunning) throw fail('E_NOT_RUNNING', { id: container.id })
    const target = openTarget(container)
    session.state = 'running'
    const exitRecordPath = `${this.folder}/${session.id}`
    try {
      const process = await processOf(context, session)
      const running = await startProcess({
        tape: planExec({
          id: session.id,
          process,
          features: context.features,
          cgroupPath: cgroupPathOf(context, container.id),
          namespaceFlags: namespaceFlagsOf(container.record),
          seccomp: request.Privileged
            ? undefined
            : context.filters.of(
                seccompOf(container.record.hostConfig, toCapabilities(container.record.hostConfig)),
              ),
        }),
        argv: [keeperName, context.engineId, container.id, session.id],
        program: request.Cmd![0]!,
        stdin: request.AttachStdin ?? false,
        terminal: request.Tty ?? false,
        exitRecordPath,
        extraFds: [target],
        poll: context.poll,
        onExit: ({ exitCode }) => this.end(session, exitCode, exitRecordPath),
      })
      session.running = running
      session.pid = running.record.pid
      if (running.stdinFd !== undefined) session.input = new InputWriter(running.stdinFd, running.closeStdin)
      context.events.container(`exec_start: ${request.Cmd!.join(' ')}`, container.id, { execID: session.id })
      return running
    } catch (error) {
      this.end(session, isFailure(error, 'E_NO_EXECUTABLE') ? 127 : 126, exitRecordPath)
      throw error
    } finally {
      closeSync(target)
    }
  }

  private end(session: ExecSession, exitCode: number, exitRecordPath: string): void {
    session.state = 'ended'
    session.exitCode = exitCode
    session.pid = 0
    rmSync(exitRecordPath, { force: true })
    setTimeout(() => this.byId.delete(session.id), keepEndedMs).unref()
    session.markEnded()
  }
}

/** The container's first process. @throws E_NOT_RUNNING where it has just ended */
function openTarget(container: Container): number {
  try {
    return openPidfd(container.record.state.pid)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') throw fail('E_NOT_RUNNING', { id: container.id }, error)
    throw error
  }
}

async function processOf(context: ContainerContext, session: ExecSession): Promise<Process> {
  const { request, container } = session
  const { record, folder } = container
  const { config, hostConfig } = record
  const folders = [
    `${folder}/upper`,
    ...record.layers.toReversed().map((layer) => `${context.images.layersFolder}/${layer}`),
  ]
  const identity = await context.images.identity(
    request.User || config.User,
    hostConfig.GroupAdd ?? [],
    folders,
  )
  const capabilities = toCapabilities(request.Privileged ? { ...hostConfig, Privileged: true } : hostConfig)
  return {
    terminal: request.Tty ?? false,
    consoleSize: { height: request.ConsoleSize?.[0] ?? 0, width: request.ConsoleSize?.[1] ?? 0 },
    user: { uid: identity.uid, gid: identity.gid, additionalGids: identity.groups },
    args: request.Cmd!,
    env: environment(
      { ...config, Tty: request.Tty ?? false, Env: [...config.Env, ...(request.Env ?? [])] },
      identity.home,
    ),
    cwd: request.WorkingDir || config.WorkingDir || '/',
    capabilities: capabilitySets(capabilities, identity.uid),
    rlimits: toRlimits(hostConfig, context.openFiles),
    noNewPrivileges: securityOptions(hostConfig).noNewPrivileges,
    oomScoreAdj: hostConfig.OomScoreAdj,
  }
}
