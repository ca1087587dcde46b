/**
 * `tsmachine create`: one function that reads as what happens, in order.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { errnoOf, messageOf } from '../shared/errors.ts'
import { bootstrapSteps } from './bootstrap/steps.ts'
import { type App, MachineContext } from './context.ts'
import { driverEntry, driverName } from './drivers/registry.ts'
import { ownerOfThisClient } from './drivers/tags.ts'
import { fail } from './errors.ts'
import { planForward } from './journal/plan.ts'
import { runForward } from './journal/run.ts'
import { makeUpName } from './names.ts'
import { checkOptions } from './options.ts'
import { ensureAuthority } from './pki/authority.ts'
import { type DriverOptions, type MachineRecord, recordVersion, type SwarmPlan } from './record.ts'
import { takeBack } from './remove.ts'
import { machineSteps } from './steps.ts'
import { isMachineName } from './store/store.ts'
import { planSwarm } from './swarm.ts'

export interface CreateRequest {
  /** Made up where it is left out. */
  name?: string
  driver: string
  /** The driver's options as the user gave them; defaults are filled in. */
  options: DriverOptions
  swarm?: { role: SwarmPlan['role']; join?: string }
  dockerContext: boolean
  /** How long the machine may live before `gc` takes it away; for ever when left out. */
  ttlMs?: number
  /** What was made before a step failed stays, for the same command to go on with. */
  keepFailed?: boolean
}

/**
 * Makes a machine, or completes one whose creation was cut short. What fails on the way is taken back, so that
 * nothing half-made stays; a killed process leaves its journal for the next run.
 * @throws whatever the failing step threw; E_LEFT_BEHIND when taking back failed, too; E_ABORTED on Ctrl-C
 */
export async function createMachine(app: App, given: CreateRequest): Promise<MachineRecord> {
  const request = { ...given, driver: driverName(given.driver) }
  const { store } = app
  const name = request.name ?? (await makeUpName(store))
  if (!isMachineName(name)) throw fail('E_MACHINE_NAME', { name })
  const entry = driverEntry(request.driver)
  const options = checkOptions(request.driver, entry.options, request.options)
  await (await entry.load()).check(options)
  const before = await store.find(name)
  if (before?.phase === 'ready') throw fail('E_MACHINE_EXISTS', { name })
  requireEngine(app)
  const swarm = request.swarm && (await planSwarm(store, request.swarm.role, request.swarm.join))
  await ensureAuthority(store)
  await store.reserve(name)
  return store.withMachine(name, async () => {
    const record = (await store.find(name)) ?? newRecord(app, { ...request, name, options, swarm })
    requireSame(record, { ...request, options })
    await store.save(record)
    const context = await MachineContext.open(app, record)
    try {
      await bringUp(context, request.keepFailed ?? false)
    } finally {
      await context.disconnect()
    }
    return record
  })
}

async function bringUp(context: MachineContext, keepFailed: boolean): Promise<void> {
  const { app, record } = context
  const steps = machineSteps(context)
  const plan = planForward(
    steps.map(({ id }) => id),
    record.journal,
    new Set(bootstrapSteps.map(({ id }) => id)),
  )
  const { reporter, signal } = app
  try {
    const now = () => app.now().toISOString()
    await runForward({ steps, context, journal: context.journal, reporter, signal, now }, plan)
  } catch (error) {
    await context.disconnect()
    const cause = nameCause(error as Error, context)
    // An interrupted create is taken back all the same: that is what the interruption asks for.
    if (keepFailed && !signal.aborted)
      throw fail('E_KEPT', { name: record.name, why: messageOf(cause) }, cause)
    await takeBack(context, cause)
    throw cause
  }
  record.phase = 'ready'
  await app.store.save(record)
}

/** What ended the creation, in words for people where it is a bare fact of the system. */
function nameCause(error: Error, { app, record, storage }: MachineContext): Error {
  if (app.signal.aborted) return fail('E_ABORTED', { what: `${record.name} was not created` }, error)
  if (errnoOf(error) === 'ENOSPC') return fail('E_STORAGE', { path: storage, why: 'the disk is full' }, error)
  return error
}

function newRecord(
  app: App,
  {
    name,
    driver,
    options,
    swarm,
    dockerContext,
    ttlMs,
  }: Omit<CreateRequest, 'swarm'> & { name: string; swarm?: SwarmPlan },
): MachineRecord {
  const now = app.now()
  return {
    version: recordVersion,
    id: randomBytes(6).toString('hex'),
    name,
    driver,
    created: now.toISOString(),
    ...(ttlMs !== undefined && { expires: new Date(now.getTime() + ttlMs).toISOString() }),
    owner: ownerOfThisClient(),
    options,
    swarm,
    dockerContext,
    phase: 'creating',
    journal: [],
    made: {},
  }
}

/** Found out before anything is made, and not by the bundler after the host is up. */
function requireEngine({ engineEntries }: App): void {
  const missing = Object.values(engineEntries()).find((path) => !existsSync(path))
  if (missing) throw fail('E_BUNDLE', { why: `the engine's source ${missing} is missing` })
}

/** A half-made machine is completed as it was begun, or not at all. */
function requireSame(record: MachineRecord, { driver, options, swarm }: CreateRequest): void {
  const { name } = record
  if (record.phase === 'ready') throw fail('E_MACHINE_EXISTS', { name })
  if (record.phase === 'removing') throw fail('E_MACHINE_DIFFERS', { name, what: 'it is being removed' })
  const differs = (what: string) => fail('E_MACHINE_DIFFERS', { name, what })
  if (record.driver !== driver) throw differs(`--driver ${record.driver}`)
  for (const key of new Set([...Object.keys(record.options), ...Object.keys(options)])) {
    if (String(record.options[key]) !== String(options[key]))
      throw differs(`--${driver}-${key} ${record.options[key] ?? 'not given'}`)
  }
  if (record.swarm?.role !== swarm?.role) throw differs(`--swarm ${record.swarm?.role ?? 'not given'}`)
}
