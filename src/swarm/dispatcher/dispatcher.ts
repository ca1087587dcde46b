/**
 * The manager's side of all nodes: lets them join, hears their reports, tells them what to do, and calls those
 * down that are silent.
 */
import { isIP } from 'node:net'
import { causeChain, isFailure, messageOf } from '../../shared/errors.ts'
import type { AddressCursors } from '../allocator/addresses.ts'
import { Batcher } from '../batcher.ts'
import { type Identity, identityOf, nodeLifeMs, signIdentity } from '../ca/authority.ts'
import { equal, parseToken, tokenNames } from '../ca/token.ts'
import type { Context } from '../context.ts'
import { fail } from '../errors.ts'
import type { Database } from '../store/database.ts'
import { clusterKey } from '../store/objects/cluster.ts'
import type { NodeRole } from '../store/objects/node.ts'
import { type ToManager, type ToWorker, wireVersion } from '../wire/messages.ts'
import type { RowChanges } from '../wire/rows.ts'
import { type Connection, startWireServer, type WireServer, type WireServerOptions } from '../wire/server.ts'
import type { Certificates } from '../wire/server-loop.ts'
import { Assignments } from './assignments.ts'
import { checkDataPath, checkMessage } from './check-message.ts'
import { draftDown, draftNode, draftReady } from './nodes.ts'
import { type Report, writeReports } from './statuses.ts'
import { type Timing, timingOf } from './timing.ts'

export interface DispatcherOptions {
  database: Database
  cursors: AddressCursors
  context: Context
  timing: Timing
  /** HOST:PORT at which others reach this manager. */
  address: string
  wire: Omit<WireServerOptions, 'graceMs'>
  /** The thread of the port died: nobody is heard any more. */
  failed: (error: Error) => void
}

/** Changes go out together when they come within this time. */
const gatherMs = 5
/** Rows in one message, so that a large set doesn't come as one piece. */
const rowsPerMessage = 5000

export class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #assignments: Assignments
  readonly #sessions = new Map<string, Connection>()
  readonly #reports: Batcher<Report>
  readonly #changes: Batcher<void>
  readonly #unsubscribe: () => void
  #timing: Timing
  #server!: WireServer

  private constructor(options: DispatcherOptions) {
    const { database, context } = options
    this.#options = options
    this.#timing = options.timing
    this.#assignments = new Assignments(database.replica)
    this.#reports = new Batcher(context.clock, gatherMs, (reports) => this.#write(reports))
    this.#changes = new Batcher(context.clock, gatherMs, async () => this.#publish())
    this.#unsubscribe = database.replica.subscribe((changes) => {
      this.#assignments.apply(changes)
      for (const change of changes) {
        if (change.kind === 'node' && !change.after) this.#dismiss(change.id)
        if (change.kind === 'cluster' && change.after) this.#setTiming(timingOf(change.after.Spec))
      }
      this.#changes.add(undefined)
    })
  }

  /** Opens the port, and expects to hear of all nodes that were there. @throws E_LISTEN */
  static async start(options: DispatcherOptions): Promise<Dispatcher> {
    const dispatcher = new Dispatcher(options)
    const { graceMs, startGraceMs } = options.timing
    try {
      dispatcher.#server = await startWireServer(
        { ...options.wire, graceMs },
        {
          troubled: (why) => options.context.log.error({ why }, 'a connection could not be taken'),
          received: (connection, message) => void dispatcher.#receive(connection, message),
          closed: (connection) => dispatcher.#forget(connection),
          silent: (nodeId) => void dispatcher.#lose(nodeId, 'heartbeat failure'),
          failed: options.failed,
        },
      )
    } catch (error) {
      dispatcher.#unsubscribe()
      throw error
    }
    for (const node of options.database.replica.all('node')) {
      if (node.Status.State !== 'down') dispatcher.#server.expect(node.ID, startGraceMs)
    }
    return dispatcher
  }

  get port(): number {
    return this.#server.port
  }

  setCertificates(certificates: Certificates): void {
    this.#server.setCertificates(certificates)
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.#server.stop()
    await this.#changes.drain()
    await this.#reports.drain()
  }

  async #receive(connection: Connection, message: ToManager): Promise<void> {
    try {
      checkMessage(message)
      await this.#answer(connection, message)
    } catch (error) {
      const code = isFailure(error) ? error.code : 'E_BUG'
      const { log } = this.#options.context
      log.warn(
        { from: connection.address, code, causes: causeChain(error) },
        `refused: ${message.t.slice(0, 16)}`,
      )
      this.#server.send(connection, { t: 'refused', code, message: messageOf(error) })
      this.#server.end(connection)
    }
  }

  async #answer(connection: Connection, message: ToManager): Promise<void> {
    const { replica } = this.#options.database
    switch (message.t) {
      case 'ca':
        this.#server.send(connection, { t: 'ca', cert: replica.get('cluster', clusterKey)!.RootCert })
        return
      case 'join':
        this.#server.send(connection, await this.#admit(message))
        return
      case 'hello':
        await this.#greet(connection, this.#identify(connection), message)
        return
      case 'status':
        this.#reports.add({ nodeId: this.#identify(connection).nodeId, statuses: message.statuses })
        return
      case 'renew':
        this.#server.send(connection, await this.#renew(this.#identify(connection), message.request))
        return
      case 'leave': {
        const { nodeId } = this.#identify(connection)
        this.#server.forget(nodeId)
        await this.#setDown(nodeId, 'left the swarm')
        this.#server.send(connection, { t: 'left' })
        this.#hangUp(nodeId)
      }
    }
  }

  /** @throws E_NODE_REMOVED, E_STRANGER */
  #identify({ cert }: Connection): Identity {
    const { replica } = this.#options.database
    const identity = cert && identityOf(Buffer.from(cert))
    if (!identity || identity.clusterId !== replica.get('cluster', clusterKey)!.ClusterID)
      throw fail('E_STRANGER', {})
    if (!replica.get('node', identity.nodeId)) throw fail('E_NODE_REMOVED', {})
    return identity
  }

  /** @throws E_TOKEN_WRONG, E_TOKEN_MALFORMED, E_SECOND_MANAGER */
  async #admit({ token, request, availability }: Extract<ToManager, { t: 'join' }>): Promise<ToWorker> {
    const { database, context } = this.#options
    const cluster = database.replica.get('cluster', clusterKey)!
    const role = this.#roleOf(token)
    if (role === 'manager') throw fail('E_SECOND_MANAGER', {})
    const nodeId = context.newId()
    const cert = await this.#sign(request, { nodeId, clusterId: cluster.ClusterID, role })
    await database.transact((draft) => draftNode(draft, nodeId, role, availability))
    // One that never speaks is down after a while, not unknown for ever.
    this.#server.expect(nodeId, this.#timing.startGraceMs)
    context.log.info({ nodeId, role }, 'a node joined')
    return { t: 'joined', nodeId, clusterId: cluster.ClusterID, role, cert }
  }

  #roleOf(text: string): NodeRole {
    const { replica } = this.#options.database
    const secrets = replica.get('secrets', clusterKey)!
    const token = parseToken(text)
    if (!tokenNames(token, replica.get('cluster', clusterKey)!.RootCert)) throw fail('E_TOKEN_WRONG', {})
    if (equal(token.secret, secrets.WorkerToken)) return 'worker'
    if (equal(token.secret, secrets.ManagerToken)) return 'manager'
    throw fail('E_TOKEN_WRONG', {})
  }

  async #renew(identity: Identity, request: string): Promise<ToWorker> {
    // The role may have changed since the old certificate; the row knows.
    const role = this.#options.database.replica.get('node', identity.nodeId)!.Spec.Role
    return { t: 'renewed', cert: await this.#sign(request, { ...identity, role }) }
  }

  #sign(request: string, identity: Identity): Promise<string> {
    const { replica } = this.#options.database
    const cluster = replica.get('cluster', clusterKey)!
    const root = { cert: cluster.RootCert, key: replica.get('secrets', clusterKey)!.RootKey }
    const lifeNs = cluster.Spec.CAConfig?.NodeCertExpiry
    return signIdentity(root, request, identity, lifeNs ? lifeNs / 1e6 : nodeLifeMs)
  }

  /**
   * A node's stream begins: first what it has, then that it is ready, then what it should have. In this
   * order nobody plans with what the node had before it was away.
   */
  async #greet(
    connection: Connection,
    { nodeId, role }: Identity,
    hello: Extract<ToManager, { t: 'hello' }>,
  ) {
    const { database, cursors, address, context } = this.#options
    const addr = hello.advertiseAddr || connection.address
    const dataPathAddr = hello.dataPathAddr || addr
    checkAddress(addr)
    checkDataPath(dataPathAddr)
    this.#server.expect(nodeId, this.#timing.graceMs, connection)
    await writeReports(database, [{ nodeId, statuses: hello.statuses }])
    await database.transact((draft) =>
      draftReady(draft, cursors, nodeId, {
        description: hello.description,
        addr,
        dataPathAddr,
        ...(role === 'manager' && { managerAddr: address }),
      }),
    )
    // It may have hung up while we wrote; the next stream says hello again.
    if (!this.#server.isOpen(connection)) return
    const old = this.#sessions.get(nodeId)
    if (old && old !== connection) this.#server.end(old)
    this.#publish()
    this.#sessions.set(nodeId, connection)
    this.#welcome(connection)
    this.#sendRows(connection, this.#assignments.open(nodeId), true)
    context.log.info({ nodeId, addr }, 'a node opened its stream')
  }

  #welcome(connection: Connection): void {
    const { periodMs, graceMs } = this.#timing
    const managers = [this.#options.address]
    this.#server.send(connection, { t: 'welcome', version: wireVersion, periodMs, graceMs, managers })
  }

  #setTiming(timing: Timing): void {
    if (timing.graceMs === this.#timing.graceMs) return
    this.#timing = timing
    this.#server.setGrace(timing.graceMs)
    for (const connection of this.#sessions.values()) this.#welcome(connection)
  }

  #publish(): void {
    for (const [nodeId, changes] of this.#assignments.flush()) {
      const connection = this.#sessions.get(nodeId)
      if (connection) this.#sendRows(connection, changes, false)
    }
  }

  #sendRows(connection: Connection, { put, drop }: RowChanges, isWhole: boolean): void {
    const { revision } = this.#options.database.replica
    for (let i = 0; i === 0 || i < put.length; i += rowsPerMessage) {
      const last = i + rowsPerMessage >= put.length
      this.#server.send(connection, {
        t: 'assign',
        first: isWhole && i === 0,
        last,
        revision,
        put: put.slice(i, i + rowsPerMessage),
        drop: last ? drop : [],
      })
    }
  }

  async #write(reports: Report[]): Promise<void> {
    try {
      await writeReports(this.#options.database, reports)
    } catch (error) {
      // The nodes say it all again when they come back.
      this.#options.context.log.error({ causes: causeChain(error) }, 'reports could not be written')
      for (const { nodeId } of reports) this.#hangUp(nodeId)
    }
  }

  async #lose(nodeId: string, why: string): Promise<void> {
    this.#server.forget(nodeId)
    this.#hangUp(nodeId)
    await this.#setDown(nodeId, why)
  }

  async #setDown(nodeId: string, why: string): Promise<void> {
    const { database, context } = this.#options
    context.log.warn({ nodeId }, `a node is down: ${why}`)
    try {
      await database.transact((draft) => draftDown(draft, nodeId, why))
    } catch (error) {
      context.log.error({ nodeId, causes: causeChain(error) }, 'a node could not be set down')
      this.#server.expect(nodeId, this.#timing.graceMs)
    }
  }

  #hangUp(nodeId: string): void {
    const connection = this.#sessions.get(nodeId)
    if (connection) this.#server.end(connection)
  }

  /** The node was removed from the swarm. */
  #dismiss(nodeId: string): void {
    const connection = this.#sessions.get(nodeId)
    this.#server?.forget(nodeId)
    if (!connection) return
    const { code, message } = fail('E_NODE_REMOVED', {})
    this.#server.send(connection, { t: 'refused', code, message })
    this.#server.end(connection)
  }

  /** A stream ended. Its node has its grace to open another one. */
  #forget(connection: Connection): void {
    for (const [nodeId, session] of this.#sessions) {
      if (session !== connection) continue
      this.#sessions.delete(nodeId)
      this.#assignments.close(nodeId)
    }
  }
}

/** @throws E_SPEC_INVALID */
function checkAddress(address: string): void {
  if (isIP(address) === 0)
    throw fail('E_SPEC_INVALID', { why: `'${address.slice(0, 64)}' is not an IP address` })
}
