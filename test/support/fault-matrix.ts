/**
 * The proof of no leak, for any driver with a fake cloud: every outside call of create, start, stop and rm meets
 * every fault; then the process's memory is gone, the record is read from the disk again, and the same command is
 * repeated until its goal, or `rm` is. The cloud must hold exactly what the record says, and after rm nothing.
 */
import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Driver, DriverContext, MachineState } from '../../src/machine/drivers/driver.ts'
import { planForward } from '../../src/machine/journal/plan.ts'
import { type JournalKeeper, type RunOptions, runBack, runForward } from '../../src/machine/journal/run.ts'
import type { DriverOptions, MachineRecord } from '../../src/machine/record.ts'
import type { SshConnection } from '../../src/machine/ssh/connection.ts'
import type { Store } from '../../src/machine/store/store.ts'
import type { Clock } from '../../src/shared/clock.ts'
import { type FakeCloud, type Fault, faults, JumpClock, Life } from './fault-gate.ts'

export const commands = ['create', 'start', 'stop', 'rm'] as const
export type Command = (typeof commands)[number]

export interface MatrixSubject {
  driver: string
  options: DriverOptions
  /** What its machines can do; everything when left out. */
  commands?: readonly Command[]
  /** A fresh, empty cloud. */
  cloud: (clock: Clock) => FakeCloud
  /** A driver without any memory; it waits `requestMs` for an answer. */
  load: (life: Life, requestMs: number) => Driver
  /** Ids of what the record says is there. */
  recorded: (record: MachineRecord) => string[]
}

export interface MatrixOptions {
  store: Store
  commands?: readonly Command[]
  faults?: readonly Fault[]
  /** How many combinations run at once. */
  parallel?: number
}

export interface MatrixResult {
  /** Outside calls of each command when nothing goes wrong. */
  calls: Record<string, number>
  combinations: number
  /** A line for each combination that did not end as it must. */
  failures: string[]
}

/** Long for the ordinary answer of a loaded machine; short where the answer comes late on purpose. */
const requestMs = 10_000
const shortRequestMs = 150

interface Combination {
  command: Command
  at: number
  fault: Fault
  then: 'again' | 'rm'
}

/** @returns what came of all combinations; a leak is a line of `failures`, not an exception */
export async function runMatrix(subject: MatrixSubject, options: MatrixOptions): Promise<MatrixResult> {
  const wanted = options.commands ?? subject.commands ?? commands
  const calls: Record<string, number> = {}
  for (const command of wanted) calls[command] = await new Trial(subject, options.store).countCalls(command)
  const todo: Combination[] = wanted.flatMap((command) =>
    Array.from({ length: calls[command]! }, (_, at) => at).flatMap((at) =>
      (options.faults ?? faults).flatMap((fault) =>
        (command === 'rm' ? (['rm'] as const) : (['again', 'rm'] as const)).map((then) => ({
          command,
          at,
          fault,
          then,
        })),
      ),
    ),
  )
  const failures: string[] = []
  const queue = todo.values()
  const worker = async () => {
    for (const combination of queue) {
      const trial = new Trial(subject, options.store)
      try {
        await trial.run(combination)
      } catch (error) {
        const { command, at, fault, then } = combination
        const name = `${command}, call ${at + 1} (${trial.hit}), ${fault}, then ${then}`
        failures.push(`${name}: ${(error as Error).message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: options.parallel ?? 4 }, worker))
  return { calls, combinations: todo.length, failures }
}

/**
 * Machines whose every process may meet a fault, several in a row: whatever comes of it, a last `rm` without any
 * must leave nothing. The walks of a seed are the same each time.
 * @returns a line for each walk that left something
 */
export async function runWalks(
  subject: MatrixSubject,
  {
    store,
    seeds,
    lives = 5,
    parallel = 4,
  }: { store: Store; seeds: number[]; lives?: number; parallel?: number },
): Promise<string[]> {
  const failures: string[] = []
  const queue = seeds.values()
  const worker = async () => {
    for (const seed of queue) {
      const trial = new Trial(subject, store)
      try {
        await trial.walk(randomFrom(seed), lives)
      } catch (error) {
        failures.push(`seed ${seed}: ${trial.walked.join(', ')}: ${(error as Error).message}`)
      }
    }
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return failures
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomFrom(seed: number): () => number {
  let count = 0
  return () => createHash('sha256').update(`${seed} ${count++}`).digest().readUInt32LE() / 2 ** 32
}

let trials = 0
let records = 0

/** One machine in one cloud, from before its first call to after its last. */
class Trial {
  readonly #subject: MatrixSubject
  readonly #store: Store
  readonly #clock = new JumpClock()
  readonly #cloud: FakeCloud
  readonly #name = `m${++trials}`
  /** The call that met the fault. */
  hit = ''

  constructor(subject: MatrixSubject, store: Store) {
    this.#subject = subject
    this.#store = store
    this.#cloud = subject.cloud(this.#clock)
  }

  async countCalls(command: Command): Promise<number> {
    await this.#prepare(command)
    const { calls } = await this.#live(command)
    if (command !== 'rm') await this.#live('rm')
    this.#expectEmpty()
    return calls
  }

  async run({ command, at, fault, then }: Combination): Promise<void> {
    await this.#prepare(command)
    const { log } = await this.#live(command, { fault, at })
    this.hit = log[at] ?? 'never made'
    if (then === 'again') {
      await this.#untilDone(command)
      await this.#expectRecorded(command)
    }
    if (await this.#store.find(this.#name)) await this.#untilDone('rm')
    this.#expectEmpty()
    if (await this.#store.find(this.#name)) throw new Error('its record is still there after rm')
  }

  /** What the lives of a walk were. */
  readonly walked: string[] = []

  async walk(random: () => number, lives: number): Promise<void> {
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
    for (let i = 0; i < lives; i++) {
      const record = await this.#store.find(this.#name)
      const command =
        record?.phase === 'ready'
          ? pick(this.#subject.commands ?? commands)
          : pick(['create', 'create', 'rm'] as const)
      if (command !== 'create' && !record) continue
      const fault = pick(faults)
      const at = Math.floor(random() * 24)
      const { error, log } = await this.#live(command, { fault, at })
      this.walked.push(`${command} ${fault} ${at + 1} (${log[at] ?? '-'}) ${error?.message ?? ''}`)
    }
    if (await this.#store.find(this.#name)) await this.#untilDone('rm')
    this.#expectEmpty()
  }

  async #prepare(command: Command): Promise<void> {
    const before: Record<Command, Command[]> = {
      create: [],
      stop: ['create'],
      start: ['create', 'stop'],
      rm: ['create'],
    }
    for (const one of before[command]) {
      const { error } = await this.#live(one)
      if (error) throw error
    }
  }

  async #untilDone(command: Command): Promise<void> {
    let last: Error | undefined
    for (let i = 0; i < 3; i++) {
      const { error } = await this.#live(command)
      if (!error) return
      last = error
    }
    throw new Error(`${command} again fails: ${last?.message}`, { cause: last })
  }

  /** One process that runs one command, and is gone afterwards with all its memory. */
  async #live(command: Command, fault: { fault?: Fault; at?: number } = {}) {
    const isLate = fault.fault === 'reply late'
    const life = await Life.begin(this.#cloud, this.#clock, { ...fault, lateMs: shortRequestMs * 2 })
    let error: Error | undefined
    try {
      const process = new Process(this.#subject, this.#store, life, isLate ? shortRequestMs : requestMs)
      await Promise.race([process.run(command, this.#name), life.death])
    } catch (cause) {
      error = cause as Error
    }
    await life.end()
    return { error, calls: life.calls, log: life.log }
  }

  async #expectRecorded(command: Command): Promise<void> {
    const record = await this.#store.find(this.#name)
    const said = record ? this.#subject.recorded(record).toSorted() : []
    const there = this.#cloud.census().toSorted()
    if (said.join() !== there.join()) throw new Error(`the record says [${said}], and there is [${there}]`)
    if (record?.phase !== 'ready') throw new Error(`after ${command} its phase is ${record?.phase}`)
  }

  #expectEmpty(): void {
    const there = this.#cloud.census()
    if (there.length > 0) throw new Error(`left: ${there}`)
  }
}

const goals: Partial<Record<Command, MachineState>> = { start: 'Running', stop: 'Stopped' }

/** What a process of the client does for a command, as src/machine has it, without the bootstrap. */
export class Process {
  readonly #subject: MatrixSubject
  readonly #store: Store
  readonly #life: Life
  readonly #driver: Driver

  constructor(subject: MatrixSubject, store: Store, life: Life, answerMs: number) {
    this.#subject = subject
    this.#store = store
    this.#life = life
    this.#driver = subject.load(life, answerMs)
  }

  async run(command: Command, name: string): Promise<void> {
    if (command === 'create') return this.#create(name)
    const record = await this.#store.get(name)
    if (command === 'rm') return this.#remove(record)
    const context = this.#contextOf(record)
    const state = await this.#driver.observe(context)
    if (state !== goals[command]) {
      const { signal } = new AbortController()
      await this.#driver.power[command]!(context, { signal, progress: () => {} })
    }
    await this.#save(record)
  }

  async #create(name: string): Promise<void> {
    const before = await this.#store.find(name)
    if (before?.phase === 'ready') return
    const record = before ?? this.#newRecord(name)
    if (record.phase === 'removing') return this.#remove(record).then(() => this.#create(name))
    await this.#save(record)
    const options = this.#runOptions(record)
    const plan = planForward(
      options.steps.map(({ id }) => id),
      record.journal,
    )
    try {
      await runForward(options, plan)
    } catch (error) {
      await this.#takeBack(record)
      throw error
    }
    record.phase = 'ready'
    await this.#save(record)
  }

  async #remove(record: MachineRecord): Promise<void> {
    record.phase = 'removing'
    await this.#save(record)
    await this.#takeBack(record)
  }

  async #takeBack(record: MachineRecord): Promise<void> {
    const left = await runBack(this.#runOptions(record))
    if (left.length > 0) throw new Error(`left behind: ${left.map(({ what }) => what).join('; ')}`)
    await this.#life.gate(() => this.#store.remove(record.name))
  }

  #newRecord(name: string): MachineRecord {
    const { driver, options } = this.#subject
    return {
      version: 1,
      id: createHash('sha256').update(`${++records}`).digest('hex').slice(0, 12),
      name,
      driver,
      created: new Date(this.#life.clock.now()).toISOString(),
      owner: 'tester@matrix',
      options,
      dockerContext: false,
      phase: 'creating',
      journal: [],
      made: {},
    }
  }

  #runOptions(record: MachineRecord): RunOptions<DriverContext> {
    const silent = () => {}
    const journal: JournalKeeper = {
      read: () => record.journal,
      save: async (entries) => {
        record.journal = entries
        await this.#save(record)
      },
    }
    return {
      steps: this.#driver.steps,
      context: this.#contextOf(record),
      journal,
      reporter: { plan: silent, begin: silent, progress: silent, end: silent, failed: silent },
      signal: new AbortController().signal,
      now: () => new Date(this.#life.clock.now()).toISOString(),
    }
  }

  #contextOf(record: MachineRecord): DriverContext {
    const paths = this.#store.paths.machine(record.name)
    return {
      record,
      paths,
      storage: this.#store.paths.storage,
      withStorage: (work) => work(),
      ssh: async () => ({ close: () => {} }) as SshConnection,
      waitMs: 600_000,
    }
  }

  async #save(record: MachineRecord): Promise<void> {
    await this.#life.gate(async () => {
      mkdirSync(this.#store.paths.machine(record.name).folder, { recursive: true })
      await this.#store.save(record)
    })
  }
}
