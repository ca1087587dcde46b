/**
 * This host's place in a swarm, as the daemon's root starts it: none, a worker, or a manager (who is a worker
 * of himself too). Init, join and leave change it; a restart takes up what the disk says.
 */
import { makeRequest } from '../shared/certificates.ts'
import { causeChain, messageOf } from '../shared/errors.ts'
import { makePrivateFolder } from '../shared/files.ts'
import { chooseAddress, type HostAddress, hostAddresses } from './addresses.ts'
import type { Engine } from './agent/engine.ts'
import { removeWithoutAgent } from './agent/remove.ts'
import { issueIdentity, makeRoot } from './ca/authority.ts'
import { parseToken } from './ca/token.ts'
import { checkDataPathPort } from './cluster.ts'
import type { Context } from './context.ts'
import { checkDataPath } from './dispatcher/check-message.ts'
import { fail } from './errors.ts'
import { findManager } from './find-manager.ts'
import { writeFirstState } from './first-state.ts'
import type { Manager } from './manager.ts'
import {
  type Membership,
  readMembership,
  removeMembership,
  writeCertificates,
  writeMembership,
} from './membership.ts'
import { swarmPaths } from './paths.ts'
import { RunningNode } from './running-node.ts'
import type { SwarmSpec } from './store/objects/cluster.ts'
import type { Availability } from './store/objects/node.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { joinAddress, splitAddress, swarmPort } from './wire/address.ts'
import { askManager } from './wire/ask.ts'
import type { Certificates } from './wire/server-loop.ts'

export interface SwarmNodeOptions {
  /** Folder for the node's swarm state; made if need be. */
  folder: string
  engine: Engine
  context: Context
  /** The host's addresses that are worth advertising; by default all but loopback and link-local ones. */
  addresses?: () => HostAddress[]
  /** Runs sockets in this thread: for many nodes in one process. */
  threadless?: boolean
  /** Opens a manager's store; SQLite in the node's folder unless given. */
  openStore?: (path: string, context: Context) => Promise<Store>
}

export interface InitOptions {
  listenAddr?: string
  advertiseAddr?: string
  dataPathAddr?: string
  dataPathPort?: number
  defaultAddrPool?: string[]
  subnetSize?: number
  availability?: Availability
  spec?: Partial<SwarmSpec>
}

export interface JoinOptions {
  remoteAddrs: string[]
  token: string
  listenAddr?: string
  advertiseAddr?: string
  dataPathAddr?: string
  availability?: Availability
}

export type LocalState = 'inactive' | 'pending' | 'active' | 'error'

const resumeRetryMs = 5000
/** A part that dies again and again must not keep the host busy with starting it. */
const restartMs = 1000

/** How long joins and leaves wait for a manager. */
const answerLimitMs = 10_000

/** The node as the disk says, working. What is wrong with it is in `state` and `error`. */
export async function startSwarmNode(options: SwarmNodeOptions): Promise<SwarmNode> {
  const node = new SwarmNode(options)
  await node.resume()
  return node
}

export class SwarmNode {
  readonly #options: SwarmNodeOptions
  readonly #paths
  /** Changes with every start: what a part of an earlier one says does not count any more. */
  #life = Symbol('not started')
  #member: { membership: Membership; certificates: Certificates } | undefined
  /** Why the membership that the disk has can't be read. There is one all the same: nothing may overwrite it. */
  #unreadable: unknown
  #running: RunningNode | undefined
  #cancelRetry: (() => void) | undefined
  #accepted = Promise.withResolvers<void>()
  #state: LocalState = 'inactive'
  #error = ''
  #address = ''
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: SwarmNodeOptions) {
    this.#options = options
    this.#paths = swarmPaths(options.folder)
  }

  get state(): LocalState {
    return this.#state
  }

  /** Why it is not active, in words. */
  get error(): string {
    return this.#error
  }

  get membership(): Membership | undefined {
    return this.#member?.membership
  }

  /** The address at which others know this node. */
  get address(): string {
    return this.#member?.membership.advertiseAddr ?? this.#address
  }

  get context(): Context {
    return this.#options.context
  }

  /** @throws E_SWARM_INACTIVE, E_SWARM_WORKER, E_SWARM_PREPARING, E_SWARM_BROKEN, E_STATE_UNREADABLE */
  get manager(): Manager {
    if (this.#running?.manager) return this.#running.manager
    if (this.#unreadable) throw this.#unreadable
    if (!this.#member) throw fail('E_SWARM_INACTIVE', {})
    if (this.#state === 'error') throw fail('E_SWARM_BROKEN', { why: this.#error })
    throw this.#member.membership.role === 'manager'
      ? fail('E_SWARM_PREPARING', {})
      : fail('E_SWARM_WORKER', {})
  }

  get isManager(): boolean {
    return this.#running?.manager !== undefined
  }

  /**
   * Takes up what the disk says. A membership that can't be taken up now, since its port is in use perhaps, is
   * tried again and again: the daemon lives on meanwhile, with the state "error".
   */
  resume(): Promise<void> {
    return this.#exclusively(async () => {
      try {
        this.#member = await this.#readMembership()
        if (this.#member) await this.#start()
      } catch (error) {
        this.#setState('error', messageOf(error))
        this.context.log.error({ causes: causeChain(error) }, 'the swarm could not be taken up')
        if (!this.#member) return
        this.#cancelRetry = this.context.clock.after(resumeRetryMs, () => void this.resume())
      }
    })
  }

  /**
   * Begins a swarm with this node as its manager.
   * @returns the node's id
   * @throws E_SWARM_ACTIVE, E_STATE_UNREADABLE, E_ADDRESS_*, E_SPEC_INVALID
   */
  init(options: InitOptions): Promise<string> {
    return this.#exclusively(async () => {
      this.#assertInactive()
      checkDataPathPort(options.dataPathPort)
      const listen = splitAddress(options.listenAddr || '0.0.0.0')
      const addresses = this.#options.addresses ?? hostAddresses
      const { host, port } = chooseAddress(options.advertiseAddr, addresses(), listen.port)
      const dataPath = options.dataPathAddr
        ? chooseAddress(options.dataPathAddr, addresses(), 0).host
        : undefined
      checkDataPath(dataPath ?? host)
      const { newId } = this.context
      const root = await makeRoot()
      const identity = { nodeId: newId(), clusterId: newId(), role: 'manager' as const }
      const certificates = { ...(await issueIdentity(root, identity)), ca: root.cert }
      await removeMembership(this.#paths)
      await writeFirstState(await this.#openStore(), this.context, { ...options, ...identity, root })
      await this.#become(certificates, {
        ...identity,
        managers: [joinAddress(host, port)],
        listenAddr: joinAddress(listen.host, listen.port),
        advertiseAddr: host,
        ...(dataPath && { dataPathAddr: dataPath }),
      })
      await this.#orBackOut(async () => {
        await this.#start()
        await this.#waitAccepted()
      })
      return identity.nodeId
    })
  }

  /**
   * Joins the swarm of one of these managers, which must have the root certificate that the token names.
   * @throws E_SWARM_ACTIVE, E_STATE_UNREADABLE, E_TOKEN_*, E_MANAGER_UNREACHABLE, E_MANAGER_REFUSED, E_JOIN_SLOW
   */
  join(options: JoinOptions): Promise<void> {
    return this.#exclusively(async () => {
      this.#assertInactive()
      const token = parseToken(options.token)
      const addresses = this.#options.addresses ?? hostAddresses
      const choose = (asked: string) => chooseAddress(asked, addresses(), swarmPort).host
      const advertiseAddr = options.advertiseAddr ? choose(options.advertiseAddr) : undefined
      const dataPathAddr = options.dataPathAddr ? choose(options.dataPathAddr) : undefined
      const dataPath = dataPathAddr ?? advertiseAddr
      if (dataPath) checkDataPath(dataPath)
      const { manager, ca } = await findManager(options.remoteAddrs, token, answerLimitMs)
      const { request, key } = await makeRequest({ commonName: 'join' })
      const { availability } = options
      const question = {
        t: 'join' as const,
        token: options.token.trim(),
        request,
        ...(availability && { availability }),
      }
      const answer = await askManager(question, { manager, ca, timeoutMs: answerLimitMs })
      if (answer.t !== 'joined') throw fail('E_MANAGER_REFUSED', { message: `it answers ${answer.t}` })
      const { nodeId, clusterId, role, cert } = answer
      await this.#become(
        { cert, key, ca },
        {
          nodeId,
          clusterId,
          role,
          managers: [manager],
          listenAddr: options.listenAddr || `0.0.0.0:${swarmPort}`,
          ...(advertiseAddr && { advertiseAddr }),
          ...(dataPathAddr && { dataPathAddr }),
        },
      )
      await this.#orBackOut(() => this.#start())
      await this.#waitAccepted()
    })
  }

  /** @throws E_SWARM_NONE; E_LEAVE_MANAGER and E_STATE_UNREADABLE unless forced */
  leave(force: boolean): Promise<void> {
    return this.#exclusively(async () => {
      if (!force && this.#unreadable) throw this.#unreadable
      if (!this.#member && !this.#unreadable) throw fail('E_SWARM_NONE', {})
      if (this.#member?.membership.role === 'manager' && !force) throw fail('E_LEAVE_MANAGER', {})
      const running = this.#running
      await running?.sayGoodbye(force ? 1000 : answerLimitMs)
      await this.#stop()
      try {
        if (running) await running.agent.removeEverything()
        else await removeWithoutAgent(this.#options.engine, this.context)
      } catch (error) {
        // The swarm is left all the same; what stays of it is said.
        this.context.log.error({ causes: causeChain(error) }, 'not everything of the swarm could be removed')
      }
      await removeMembership(this.#paths)
      this.#member = undefined
      this.#unreadable = undefined
      this.#setState('inactive')
    })
  }

  /** Lets go of everything; containers go on, and the next start takes them up. */
  stop(): Promise<void> {
    return this.#exclusively(() => this.#stop())
  }

  async #openStore(): Promise<Store> {
    await makePrivateFolder(this.#paths.manager)
    const open = this.#options.openStore ?? openSqliteStore
    return open(this.#paths.store, this.context)
  }

  async #become(certificates: Certificates, membership: Membership): Promise<void> {
    await writeCertificates(this.#paths, certificates)
    await writeMembership(this.#paths, membership)
    this.#member = { membership, certificates }
  }

  /** A membership that can't even begin is taken back: nothing half-made stays. */
  async #orBackOut(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      await this.#stop()
      await removeMembership(this.#paths)
      this.#member = undefined
      this.#setState('inactive')
      throw error
    }
  }

  async #start(): Promise<void> {
    const { membership, certificates } = this.#member!
    this.#setState('pending')
    const life = Symbol('a start')
    this.#life = life
    try {
      this.#running = await RunningNode.start({
        ...this.#options,
        paths: this.#paths,
        membership,
        certificates,
        openStore: () => this.#openStore(),
        hooks: {
          accepted: (welcome) => this.#accept(welcome),
          lost: ({ code, message }) => this.#lose(code, message),
          failed: (error) => this.#fail(life, error),
          renewed: async (renewed) => {
            await writeCertificates(this.#paths, renewed)
            this.#member = { ...this.#member!, certificates: renewed }
          },
        },
      })
    } catch (error) {
      this.#setState('error', messageOf(error))
      throw error
    }
  }

  #accept({ managers, localAddress }: { managers: string[]; localAddress: string }): void {
    const { membership } = this.#member!
    this.#address = localAddress
    this.#setState('active')
    this.#accepted.resolve()
    if (membership.role === 'manager' || JSON.stringify(managers) === JSON.stringify(membership.managers))
      return
    this.#member = { ...this.#member!, membership: { ...membership, managers } }
    writeMembership(this.#paths, this.#member.membership).catch((error: unknown) => {
      this.context.log.error({ causes: causeChain(error) }, 'the list of managers could not be written')
    })
  }

  #lose(code: string | undefined, message: string): void {
    // A manager that can't be reached is an everyday thing; one that does not want us is an error.
    if (code === 'E_NODE_REMOVED' || code === 'E_STRANGER') this.#setState('error', message)
    else if (this.#state !== 'error') this.#setState(this.#state, message)
  }

  /** A part that nothing works without has died: what is left of the node stops, and it begins anew. */
  #fail(life: symbol, error: unknown): void {
    this.context.log.error({ causes: causeChain(error) }, 'a part of the swarm died: it is begun anew')
    void this.#exclusively(async () => {
      if (this.#life !== life || !this.#running) return
      try {
        await this.#stop()
      } catch (stopError) {
        this.context.log.error({ causes: causeChain(stopError) }, 'not all of the swarm could be stopped')
      }
      this.#setState('error', messageOf(error))
      this.#cancelRetry = this.context.clock.after(restartMs, () => void this.resume())
    })
  }

  async #waitAccepted(): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>()
    const cancel = this.context.clock.after(answerLimitMs, () =>
      reject(fail('E_JOIN_SLOW', { why: this.#error })),
    )
    await Promise.race([this.#accepted.promise, promise])
    cancel()
  }

  async #stop(): Promise<void> {
    this.#cancelRetry?.()
    try {
      await this.#running?.stop()
    } finally {
      this.#running = undefined
      this.#accepted = Promise.withResolvers()
    }
  }

  #setState(state: LocalState, error = ''): void {
    this.#state = state
    this.#error = error
  }

  async #readMembership() {
    try {
      return await readMembership(this.#paths)
    } catch (error) {
      this.#unreadable = error
      throw error
    }
  }

  #assertInactive(): void {
    if (this.#unreadable) throw this.#unreadable
    if (this.#member) throw fail('E_SWARM_ACTIVE', {})
  }

  /** One change of membership after the other. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work)
    this.#turn = result.catch(() => undefined)
    return result
  }
}
