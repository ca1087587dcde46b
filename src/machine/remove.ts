/**
 * `tsmachine rm`, and the way back of a create that failed: everything that the journal names is taken back, in
 * reverse, and the record goes last.
 */
import { messageOf } from '../shared/errors.ts'
import { type App, MachineContext } from './context.ts'
import { fail } from './errors.ts'
import { unknownSteps } from './journal/plan.ts'
import { type Left, runBack } from './journal/run.ts'
import { machineSteps } from './steps.ts'

/** How long to try to reach a host that is to be cleaned up, and one that is to be forgotten anyway. */
const patientMs = 10_000
const impatientMs = 3_000

export interface RemoveOptions {
  /** Forget the machine even where something of it can't be taken back; what is left is returned. */
  force: boolean
}

/**
 * Removes a machine with all that was made for it.
 * @returns what is left of it; always nothing without `force`
 * @throws E_MACHINE_UNKNOWN, or E_LEFT_BEHIND, after which the same call goes on where this one stopped
 */
export async function removeMachine(app: App, name: string, { force }: RemoveOptions): Promise<string[]> {
  const { store } = app
  await store.get(name)
  return store.withMachine(name, async () => {
    const record = await store.find(name)
    if (!record) return []
    record.phase = 'removing'
    await store.save(record)
    const context = await MachineContext.open(app, record)
    try {
      const left = await undoAll(context, force ? impatientMs : patientMs)
      if (left.length > 0 && !force) throw fail('E_LEFT_BEHIND', { name, left }, undefined)
      await store.remove(name)
      return left
    } finally {
      await context.disconnect()
    }
  })
}

/**
 * Takes back what a failed create made, record included.
 * @throws E_LEFT_BEHIND, with the record kept, when that doesn't work out
 */
export async function takeBack(context: MachineContext, cause: Error): Promise<void> {
  const { app, record } = context
  const left = await undoAll(context, patientMs)
  if (left.length > 0)
    throw fail('E_LEFT_BEHIND', { name: record.name, left, after: messageOf(cause) }, cause)
  await app.store.remove(record.name)
}

async function undoAll(context: MachineContext, waitMs: number): Promise<string[]> {
  const { app, record } = context
  context.prepareUndo(waitMs)
  const steps = machineSteps(context)
  const foreign = unknownSteps(
    steps.map(({ id }) => id),
    record.journal,
  )
  const left: Left[] = await runBack({
    steps,
    context,
    journal: context.journal,
    reporter: app.reporter,
    signal: context.signal,
    now: () => app.now().toISOString(),
  })
  return [
    ...left.map(({ what }) => what),
    ...foreign.map((step) => `${step} (made by another version of tsmachine)`),
  ]
}
