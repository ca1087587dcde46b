/**
 * The composition root of the machine layer: the one place where store, credentials, connections and drivers
 * come together. Everything else is handed what it needs.
 */
import { ownEngineEntries } from './bootstrap/engine-entries.ts'
import { type HostFacts, probeHost } from './bootstrap/probe.ts'
import type { Remote } from './bootstrap/remote.ts'
import type { Driver, DriverContext } from './drivers/driver.ts'
import { driverEntry } from './drivers/registry.ts'
import { fail } from './errors.ts'
import type { JournalKeeper, Reporter } from './journal/run.ts'
import { pathsOf, storageFolder } from './paths.ts'
import { type ClientCredentials, requireCredentials } from './pki/authority.ts'
import type { MachineRecord } from './record.ts'
import type { SshConnection } from './ssh/connection.ts'
import { sshTarget } from './ssh/target.ts'
import { waitForSsh } from './ssh/wait.ts'
import { Store } from './store/store.ts'

/** What a command of the machine layer works with. */
export interface App {
  store: Store
  reporter: Reporter
  /** Aborted by Ctrl-C. */
  signal: AbortSignal
  now: () => Date
  /** Source files of the engine by the name of their output in the bundle. */
  engineEntries: () => Record<string, string>
  /** How long to wait for a new host's SSH server, and for its engine. */
  waitMs: number
}

export interface AppOptions extends Partial<Omit<App, 'store'>> {
  storagePath?: string
  reporter: Reporter
}

export function openApp(options: AppOptions): App {
  return {
    signal: new AbortController().signal,
    now: () => new Date(),
    waitMs: 180_000,
    engineEntries,
    ...options,
    store: new Store(pathsOf(storageFolder(options.storagePath))),
  }
}

/** TSMACHINE_ENGINE names another engine's entry; tests put their stand-in there. */
function engineEntries(): Record<string, string> {
  const other = process.env.TSMACHINE_ENGINE
  return other === undefined ? ownEngineEntries(import.meta.dirname) : { 'tshost.mjs': other }
}

/** One machine being worked on: its record, its driver, and connections that open when they are needed. */
export class MachineContext implements DriverContext {
  readonly app: App
  readonly record: MachineRecord
  readonly driver: Driver
  signal: AbortSignal
  /** How long to wait for the host's SSH server, and for its engine. */
  waitMs: number
  #ssh: Promise<SshConnection> | undefined
  #facts: Promise<HostFacts> | undefined

  private constructor(app: App, record: MachineRecord, driver: Driver) {
    this.app = app
    this.record = record
    this.driver = driver
    this.signal = app.signal
    this.waitMs = app.waitMs
  }

  /** Taking back goes on after a Ctrl-C, and does not wait for a host that is gone. */
  prepareUndo(waitMs: number): void {
    this.signal = new AbortController().signal
    this.waitMs = waitMs
  }

  /** @throws E_DRIVER_UNKNOWN */
  static async open(app: App, record: MachineRecord): Promise<MachineContext> {
    return new MachineContext(app, record, await driverEntry(record.driver).load())
  }

  get paths() {
    return this.app.store.paths.machine(this.record.name)
  }

  get storage(): string {
    return this.app.store.paths.storage
  }

  withStorage = <T>(work: () => Promise<T>): Promise<T> => this.app.store.withStorage(work)

  /** The one SSH connection that all steps share; opened, or waited for, on the first call. */
  ssh = (progress?: (text: string) => void): Promise<SshConnection> => {
    this.#ssh ??= this.#connect(progress)
    return this.#ssh
  }

  async #connect(progress: ((text: string) => void) | undefined): Promise<SshConnection> {
    const { ssh, name } = this.record
    if (!ssh) throw fail('E_MACHINE_INCOMPLETE', { name })
    return waitForSsh(await sshTarget(ssh), { timeoutMs: this.waitMs, signal: this.signal, progress })
  }

  /** What kind of host it is; asked once. */
  facts = async (): Promise<HostFacts> => {
    this.#facts ??= probeHost(await this.ssh(), this.signal)
    return this.#facts
  }

  remote = async (): Promise<Remote> => ({ ssh: await this.ssh(), isRoot: (await this.facts()).isRoot })

  credentials = (): Promise<ClientCredentials> => requireCredentials(this.app.store)

  /** The names under which clients may reach the engine: its certificate has them all. */
  get serverNames(): string[] {
    const { name, engine } = this.record
    return [...new Set([name, 'localhost', '127.0.0.1', ...(engine ? [engine.host] : [])])]
  }

  journal: JournalKeeper = {
    read: () => this.record.journal,
    save: async (entries) => {
      this.record.journal = entries
      await this.app.store.save(this.record)
    },
  }

  /** Lets go of the host, so that the next use connects anew. */
  async disconnect(): Promise<void> {
    const opened = this.#ssh
    this.#ssh = undefined
    this.#facts = undefined
    // A connection that never came about needs no closing; its failure was reported where it was asked for.
    await opened?.then(
      (connection) => connection.close(),
      () => undefined,
    )
  }
}

/** The engine's URL, as docker-machine prints it. */
export function engineUrl(record: MachineRecord): string {
  if (!record.engine) throw fail('E_MACHINE_INCOMPLETE', { name: record.name })
  const { host, port } = record.engine
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
}
