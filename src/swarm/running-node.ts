/**
 * A member at work: its agent and its stream, and with a manager's role the manager too. Made anew at every
 * start of the daemon; all that lasts is on disk.
 */
import { makePrivateFolder } from '../shared/files.ts'
import { Agent } from './agent/agent.ts'
import { DescriptionWatch } from './agent/description.ts'
import type { Engine } from './agent/engine.ts'
import { Session, type SessionListener } from './agent/session.ts'
import { tlsInfo } from './ca/authority.ts'
import type { Context } from './context.ts'
import { timingOf } from './dispatcher/timing.ts'
import { Manager } from './manager.ts'
import type { Membership } from './membership.ts'
import type { SwarmPaths } from './paths.ts'
import { stopAll } from './stop-all.ts'
import type { Store } from './store/store.ts'
import { joinAddress, splitAddress } from './wire/address.ts'
import type { Certificates } from './wire/server-loop.ts'

export interface RunningNodeOptions {
  engine: Engine
  context: Context
  paths: SwarmPaths
  membership: Membership
  certificates: Certificates
  openStore: () => Promise<Store>
  threadless?: boolean
  hooks: SessionListener
}

export class RunningNode {
  readonly manager: Manager | undefined
  readonly agent: Agent
  readonly #session: Session
  readonly #description: DescriptionWatch

  private constructor(manager: Manager | undefined, { agent, session, watch }: AgentParts) {
    this.manager = manager
    this.agent = agent
    this.#session = session
    this.#description = watch
  }

  /** @throws E_LISTEN, E_STORE_FAILED, E_STATE_UNREADABLE; nothing runs then */
  static async start(options: RunningNodeOptions): Promise<RunningNode> {
    const isManager = options.membership.role === 'manager'
    const manager = isManager ? await startManager(options) : undefined
    try {
      return new RunningNode(manager, await startAgent(options, manager))
    } catch (error) {
      await manager?.stop()
      throw error
    }
  }

  /** A worker that leaves for good tells its manager. */
  async sayGoodbye(limitMs: number): Promise<void> {
    if (!this.manager) await this.#session.leave(limitMs)
  }

  async stop(): Promise<void> {
    this.#description.stop()
    await stopAll(
      () => this.#session.stop(),
      () => this.agent.stop(),
      async () => this.manager?.stop(),
    )
  }
}

async function startManager(options: RunningNodeOptions): Promise<Manager> {
  const { membership, certificates, context, threadless, hooks } = options
  const { host, port } = splitAddress(membership.listenAddr)
  return Manager.start({
    context,
    store: await options.openStore(),
    nodeId: membership.nodeId,
    address: membership.managers[0]!,
    wire: { ...certificates, host, port, ownThread: !threadless },
    failed: (error) => hooks.failed(error),
  })
}

interface AgentParts {
  agent: Agent
  session: Session
  watch: DescriptionWatch
}

async function startAgent(options: RunningNodeOptions, manager: Manager | undefined): Promise<AgentParts> {
  const { engine, context, paths, membership, certificates, threadless, hooks } = options
  await makePrivateFolder(paths.agent)
  const describe = async () => ({ ...(await engine.describe()), TLSInfo: tlsInfo(certificates.ca) })
  const description = await describe()
  let session: Session | undefined
  const { nodeId, advertiseAddr, dataPathAddr } = membership
  const agent = await Agent.start({
    engine,
    context,
    folder: paths.agent,
    nodeId,
    description,
    onStatus: (status) => session?.report(status),
  })
  session = new Session({
    context,
    agent,
    description,
    certificates,
    managers: manager ? [ownAddress(membership, manager)] : membership.managers,
    // A manager's own stream stays on loopback, whatever address it tells the others.
    keepManagers: manager !== undefined,
    ...(advertiseAddr && { advertiseAddr }),
    ...(dataPathAddr && { dataPathAddr }),
    ...timingOf({}),
    ownThread: !threadless,
    listener: {
      ...hooks,
      renewed: async (renewed) => {
        await hooks.renewed(renewed)
        manager?.dispatcher.setCertificates(renewed)
      },
    },
  })
  const watch = new DescriptionWatch(context, describe, description, (changed) => {
    agent.describe(changed)
    session.describe(changed)
  })
  return { agent, session, watch }
}

/** Where a manager's own agent dials: loopback, unless the manager listens on one address only. */
function ownAddress({ listenAddr }: Membership, manager: Manager): string {
  const { host } = splitAddress(listenAddr)
  const isAnywhere = host === '0.0.0.0' || host === '::'
  return joinAddress(isAnywhere ? '127.0.0.1' : host, manager.dispatcher.port)
}
