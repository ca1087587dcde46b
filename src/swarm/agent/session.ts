/**
 * The agent's talk with managers: says hello with all it has, takes assignments, sends statuses, and renews
 * the node's certificate at half of its life.
 */
import { X509Certificate } from 'node:crypto'
import { makeRequest } from '../../shared/certificates.ts'
import { causeChain } from '../../shared/errors.ts'
import { Batcher } from '../batcher.ts'
import { managerName } from '../ca/authority.ts'
import type { Context } from '../context.ts'
import type { NodeDescription } from '../store/objects/node.ts'
import { WireClient } from '../wire/client.ts'
import { type ReportedStatus, type ToWorker, wireVersion } from '../wire/messages.ts'
import type { Certificates } from '../wire/server-loop.ts'
import type { Agent } from './agent.ts'

export interface SessionOptions {
  context: Context
  agent: Agent
  description: NodeDescription
  certificates: Certificates
  /** HOST:PORT, tried in turn. */
  managers: string[]
  /** Dial these whatever a manager says. */
  keepManagers: boolean
  advertiseAddr?: string
  dataPathAddr?: string
  /** Until a manager says otherwise. */
  periodMs: number
  graceMs: number
  ownThread?: boolean
  listener: SessionListener
}

export interface SessionListener {
  /** A manager took us; `managers` are those to try from now on. */
  accepted(welcome: { managers: string[]; localAddress: string }): void
  /** No stream for now, or a manager that does not want us. */
  lost(why: { code?: string; message: string }): void
  /** The thread of the stream died: this session has no other one. */
  failed(error: unknown): void
  /** New ones, to be kept before they are used. */
  renewed(certificates: Certificates): Promise<void>
}

/** Statuses that change within this time go out together: most tasks pass several states in it. */
const gatherMs = 10
const renewalCheckMs = 60 * 60_000
/** A manager that takes a stream but does not greet is not at work. */
const welcomeLimitMs = 10_000

export class Session {
  readonly #options: SessionOptions
  readonly #client: WireClient
  readonly #statuses: Batcher<ReportedStatus>
  readonly #left = Promise.withResolvers<void>()
  #certificates: Certificates
  #description: NodeDescription
  #newKey: string | undefined
  #localAddress = ''
  #isAccepted = false
  #cancelCheck: (() => void) | undefined
  #cancelPatience: (() => void) | undefined

  constructor(options: SessionOptions) {
    const { context, certificates, managers, periodMs, graceMs, ownThread } = options
    this.#options = options
    this.#certificates = certificates
    this.#description = options.description
    this.#statuses = new Batcher(context.clock, gatherMs, async (statuses) => this.#send(statuses))
    this.#client = new WireClient(
      {
        managers,
        serverName: managerName,
        ...certificates,
        periodMs,
        graceMs,
        ...(ownThread !== undefined && { ownThread }),
      },
      {
        up: (stream) => this.#hello(stream.localAddress),
        received: (message) => this.#receive(message),
        down: (why) => this.#lose({ message: why }),
        failed: (error) => options.listener.failed(error),
      },
    )
  }

  /** A task's status changed. */
  report(status: ReportedStatus): void {
    this.#statuses.add(status)
  }

  /** The host is another than it was: a new stream begins with it. */
  describe(description: NodeDescription): void {
    this.#description = description
    this.#client.redial()
  }

  /** Tells the manager that this node goes for good; false when none heard it within the limit. */
  async leave(limitMs: number): Promise<boolean> {
    if (!this.#isAccepted) return false
    this.#client.send({ t: 'leave' })
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const cancel = this.#options.context.clock.after(limitMs, () => resolve(false))
    void this.#left.promise.then(() => resolve(true))
    const isHeard = await promise
    cancel()
    return isHeard
  }

  async stop(): Promise<void> {
    this.#isAccepted = false
    this.#cancelCheck?.()
    this.#cancelPatience?.()
    await this.#client.stop()
  }

  #hello(localAddress: string): void {
    const { agent, context, advertiseAddr, dataPathAddr } = this.#options
    this.#localAddress = localAddress
    this.#client.send({
      t: 'hello',
      version: wireVersion,
      description: this.#description,
      advertiseAddr: advertiseAddr ?? localAddress,
      dataPathAddr: dataPathAddr ?? advertiseAddr ?? localAddress,
      statuses: agent.statuses(),
    })
    this.#cancelPatience?.()
    this.#cancelPatience = context.clock.after(welcomeLimitMs, () => {
      context.log.warn({}, 'the manager does not greet; trying again')
      this.#client.redial()
    })
  }

  #receive(message: ToWorker): void {
    const { context, agent, listener } = this.#options
    switch (message.t) {
      case 'welcome':
        this.#isAccepted = true
        this.#cancelPatience?.()
        this.#client.setTiming(message.periodMs, message.graceMs)
        if (!this.#options.keepManagers) this.#client.setManagers(message.managers)
        listener.accepted({ managers: message.managers, localAddress: this.#localAddress })
        this.#checkRenewal()
        break
      case 'assign':
        agent.apply(message)
        break
      case 'renewed':
        this.#takeRenewed(message.cert).catch((error: unknown) => {
          context.log.error({ causes: causeChain(error) }, 'the renewed certificate could not be kept')
        })
        break
      case 'left':
        this.#left.resolve()
        break
      case 'refused':
        context.log.error({ code: message.code }, `the manager refuses this node: ${message.message}`)
        this.#lose(message)
        break
      default:
        context.log.warn({ t: message.t }, 'a message that was not expected')
    }
  }

  /** What is said without a stream is not lost: hello says it all again. */
  #send(statuses: ReportedStatus[]): void {
    if (!this.#isAccepted) return
    const newest = new Map(statuses.map((status) => [status.ID, status]))
    this.#client.send({ t: 'status', statuses: [...newest.values()] })
  }

  #lose(why: { code?: string; message: string }): void {
    this.#isAccepted = false
    this.#cancelCheck?.()
    this.#cancelPatience?.()
    this.#options.listener.lost(why)
  }

  #checkRenewal(): void {
    const { clock, log } = this.#options.context
    this.#cancelCheck?.()
    this.#cancelCheck = clock.after(renewalCheckMs, () => this.#checkRenewal())
    const { validFromDate, validToDate } = new X509Certificate(this.#certificates.cert)
    if (clock.now() < (validFromDate.getTime() + validToDate.getTime()) / 2) return
    this.#askRenewal().catch((error: unknown) => {
      log.error({ causes: causeChain(error) }, 'no request for a new certificate could be made')
    })
  }

  async #askRenewal(): Promise<void> {
    const { request, key } = await makeRequest({ commonName: 'renewal' })
    this.#newKey = key
    this.#client.send({ t: 'renew', request })
  }

  async #takeRenewed(cert: string): Promise<void> {
    if (this.#newKey === undefined) return
    const certificates = { cert, key: this.#newKey, ca: this.#certificates.ca }
    await this.#options.listener.renewed(certificates)
    this.#certificates = certificates
    this.#newKey = undefined
    this.#client.setCertificates(certificates)
    this.#options.context.log.info({}, "the node's certificate was renewed")
  }
}
