/**
 * Azure machines against the fake, without the bootstrap: what `create`, `rm` and the switches make of a driver, each
 * call by a driver that remembers nothing.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { makeAzureDriver } from '../../src/machine/drivers/azure/driver.ts'
import { azureMachine } from '../../src/machine/drivers/azure/settings.ts'
import type { Driver, DriverContext, PowerAction } from '../../src/machine/drivers/driver.ts'
import { planForward } from '../../src/machine/journal/plan.ts'
import { type RunOptions, runBack, runForward } from '../../src/machine/journal/run.ts'
import type { DriverOptions, MachineRecord } from '../../src/machine/record.ts'
import type { SshConnection } from '../../src/machine/ssh/connection.ts'
import type { Store } from '../../src/machine/store/store.ts'
import { type Clock, systemClock } from '../../src/shared/clock.ts'
import { FakeArm, subscriptionOfTests } from './fake-arm/arm.ts'
import type { Behaviour } from './fake-arm/state.ts'
import { JumpClock, Life } from './fault-gate.ts'

export const azureTestOptions: DriverOptions = {
  'subscription-id': subscriptionOfTests,
  location: 'westus2',
  size: 'Standard_B2als_v2',
  'allow-from': ['198.51.100.7'],
}

/** Ids of all that a record says is there. */
export function recordedIds(record: MachineRecord): string[] {
  const { group, network, names } = azureMachine(record)
  const at = `/subscriptions/${subscriptionOfTests}/resourceGroups/${group}`
  return [
    at,
    `${at}/providers/Microsoft.Network/virtualNetworks/${network.name}`,
    `${at}/providers/Microsoft.Network/publicIPAddresses/${names.address}`,
    `${at}/providers/Microsoft.Network/networkSecurityGroups/${names.firewall}`,
    `${at}/providers/Microsoft.Network/networkInterfaces/${names.nic}`,
    `${at}/providers/Microsoft.Compute/disks/${names.disk}`,
    `${at}/providers/Microsoft.Compute/virtualMachines/${names.vm}`,
  ]
}

export class AzureMachines {
  readonly arm: FakeArm
  readonly progress: string[] = []
  /** What comes of the wait for the host. */
  ssh: () => Promise<SshConnection> = async () => ({ close: () => {} }) as SshConnection
  readonly #store: Store
  readonly #life: Life

  private constructor(store: Store, arm: FakeArm, life: Life) {
    this.#store = store
    this.arm = arm
    this.#life = life
  }

  static async begin(
    store: Store,
    behaviour: Partial<Behaviour> = {},
    clock: Clock = new JumpClock(),
  ): Promise<AzureMachines> {
    const arm = new FakeArm(clock, behaviour)
    return new AzureMachines(store, arm, await Life.begin(arm, clock))
  }

  /** A driver without any memory. */
  driver(seed = 1): Driver {
    return makeAzureDriver({ clock: this.#life.clock, random: seeded(seed), endpoint: () => this.#life.url })
  }

  record(name: string, options: DriverOptions = {}): MachineRecord {
    return {
      version: 1,
      id: createHash('sha256').update(name).digest('hex').slice(0, 12),
      name,
      driver: 'azure',
      created: '2026-01-01T00:00:00.000Z',
      owner: 'tester@fake',
      options: { ...azureTestOptions, ...options },
      dockerContext: false,
      phase: 'creating',
      journal: [],
      made: {},
    }
  }

  /** @param seed of the driver's own chance; or a driver that several machines share */
  async create(record: MachineRecord, seed?: number | Driver): Promise<MachineRecord> {
    mkdirSync(this.#store.paths.machine(record.name).folder, { recursive: true })
    const options = this.#options(record, seed)
    const plan = planForward(
      options.steps.map(({ id }) => id),
      record.journal,
    )
    await runForward(options, plan)
    record.phase = 'ready'
    return record
  }

  /** @returns what is left */
  async remove(record: MachineRecord, seed?: number | Driver): Promise<string[]> {
    return (await runBack(this.#options(record, seed))).map(({ what }) => what)
  }

  async power(record: MachineRecord, action: PowerAction): Promise<void> {
    const { signal } = new AbortController()
    await this.driver().power[action]!(this.context(record), { signal, progress: () => {} })
  }

  context(record: MachineRecord): DriverContext {
    return {
      record,
      paths: this.#store.paths.machine(record.name),
      storage: this.#store.paths.storage,
      withStorage: (work) => work(),
      ssh: () => this.ssh(),
      waitMs: 600_000,
    }
  }

  end(): Promise<void> {
    return this.#life.end()
  }

  #options(record: MachineRecord, driver?: number | Driver): RunOptions<DriverContext> {
    const silent = () => {}
    return {
      steps: (typeof driver === 'object' ? driver : this.driver(driver)).steps,
      context: this.context(record),
      journal: {
        read: () => record.journal,
        save: async (entries) => {
          record.journal = entries
        },
      },
      reporter: {
        plan: silent,
        begin: silent,
        progress: (title, text) => void this.progress.push(`${title}: ${text}`),
        end: silent,
        failed: silent,
      },
      signal: new AbortController().signal,
      now: () => '2026-01-01T00:00:00.000Z',
    }
  }
}

/** A clock that goes this many times as fast as the real one. */
export function fastClock(times: number): Clock {
  const begun = systemClock.now()
  return {
    now: () => begun + (systemClock.now() - begun) * times,
    after: (ms, fn) => systemClock.after(ms / times, fn),
  }
}

/** Numbers between 0 and 1 that are the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
