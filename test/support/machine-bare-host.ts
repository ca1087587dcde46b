/**
 * A host with a real sshd and nothing of ours on it, for tests that adopt one. It is made by the local driver's
 * own steps.
 */
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { DriverContext } from '../../src/machine/drivers/driver.ts'
import { localDriver } from '../../src/machine/drivers/local/driver.ts'
import type { MachineRecord } from '../../src/machine/record.ts'
import type { SshConnection } from '../../src/machine/ssh/connection.ts'
import { sshTarget } from '../../src/machine/ssh/target.ts'
import { waitForSsh } from '../../src/machine/ssh/wait.ts'
import type { TestStorage } from './machine-storage.ts'

export class BareHost {
  readonly #context: DriverContext
  readonly #run = { signal: new AbortController().signal, progress: () => {} }

  private constructor(context: DriverContext) {
    this.#context = context
  }

  /** Its files and its place in the network are those of the test's storage. */
  static async start(storage: TestStorage, name: string): Promise<BareHost> {
    const record: MachineRecord = {
      version: 1,
      id: randomBytes(6).toString('hex'),
      name,
      driver: 'local',
      created: '',
      options: {},
      dockerContext: false,
      phase: 'creating',
      journal: [],
      made: {},
    }
    const paths = storage.store.paths.machine(`bare/${name}`)
    mkdirSync(paths.folder, { recursive: true })
    const host = new BareHost({
      record,
      paths,
      storage: storage.path,
      withStorage: (work) => storage.store.withStorage(work),
      ssh: () => host.connect(),
      waitMs: 10_000,
    })
    try {
      for (const step of localDriver.steps) await step.do(host.#context, host.#run)
      const connection = await host.connect()
      connection.close()
      return host
    } catch (error) {
      await host.release()
      throw error
    }
  }

  get address(): string {
    return this.#context.record.ssh!.host
  }

  /** File of the private key that root's authorized_keys has. */
  get keyPath(): string {
    return this.#context.paths.userKey
  }

  /** The host's own public key. */
  get hostKey(): string {
    return this.#context.record.ssh!.hostKeys[0]!
  }

  async connect(): Promise<SshConnection> {
    return waitForSsh(await sshTarget(this.#context.record.ssh!), { timeoutMs: 10_000 })
  }

  /** The stdout of a shell script that must succeed on the host. */
  async sh(script: string): Promise<string> {
    const connection = await this.connect()
    try {
      return await connection.run(['sh', '-c', script])
    } finally {
      connection.close()
    }
  }

  async release(): Promise<void> {
    for (const step of localDriver.steps.toReversed()) await step.undo?.(this.#context, this.#run)
  }
}
