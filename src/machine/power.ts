/**
 * Switching machines on and off.
 */
import { proveEngine } from './bootstrap/steps.ts'
import { type App, MachineContext } from './context.ts'
import type { MachineState, PowerAction } from './drivers/driver.ts'
import { fail } from './errors.ts'
import type { StepRun } from './journal/step.ts'

/** The state that each action leads to; being in it already is an error, as docker-machine has it. */
const leadsTo: Partial<Record<PowerAction, MachineState>> = {
  start: 'Running',
  stop: 'Stopped',
  kill: 'Stopped',
}

const titles: Record<PowerAction, (name: string) => string> = {
  start: (name) => `Start ${name}`,
  stop: (name) => `Stop ${name}`,
  kill: (name) => `Kill ${name}`,
  restart: (name) => `Restart ${name}`,
}

/**
 * Does the action, and for `start` and `restart` waits until the engine answers again.
 * @throws E_UNSUPPORTED, E_MACHINE_ALREADY, E_MACHINE_UNKNOWN, E_MACHINE_INCOMPLETE
 */
export async function switchPower(app: App, name: string, action: PowerAction): Promise<void> {
  await requireReady(app, name)
  await app.store.withMachine(name, async () => {
    const context = await MachineContext.open(app, await requireReady(app, name))
    const power = context.driver.power[action]
    if (!power) throw fail('E_UNSUPPORTED', { name, driver: context.record.driver, action })
    const state = await context.driver.observe(context)
    if (state === leadsTo[action]) {
      // What it was seen with, such as another address, is worth keeping: a start may have been cut short.
      await app.store.save(context.record)
      throw fail('E_MACHINE_ALREADY', { name, state })
    }
    try {
      await reported(app, titles[action](name), async (run) => {
        await power(context, run)
        await app.store.save(context.record)
        if (action === 'stop' || action === 'kill') return
        await context.disconnect()
        await context.ssh(run.progress)
        await proveEngine(context, run)
      })
    } finally {
      await context.disconnect()
    }
  })
}

/** The state of one machine, asked of its driver. */
export async function observeMachine(app: App, name: string): Promise<MachineState> {
  const context = await MachineContext.open(app, await app.store.get(name))
  try {
    return await context.driver.observe(context)
  } finally {
    await context.disconnect()
  }
}

/**
 * The record of a machine that is complete.
 * @throws E_MACHINE_UNKNOWN, E_MACHINE_INCOMPLETE
 */
export async function requireReady(app: App, name: string) {
  const record = await app.store.get(name)
  if (record.phase !== 'ready') throw fail('E_MACHINE_INCOMPLETE', { name })
  return record
}

/**
 * The record of a machine that runs right now.
 * @throws E_MACHINE_STATE when it doesn't
 */
export async function requireRunning(app: App, name: string) {
  const record = await requireReady(app, name)
  const state = await observeMachine(app, name)
  if (state !== 'Running') throw fail('E_MACHINE_STATE', { name, state, wanted: 'Running' })
  return record
}

async function reported(app: App, title: string, work: (run: StepRun) => Promise<void>): Promise<void> {
  const { reporter, signal } = app
  const start = performance.now()
  reporter.plan([title])
  reporter.begin(title)
  try {
    await work({ signal, progress: (text) => reporter.progress(title, text) })
    reporter.end(title, 'changed', performance.now() - start)
  } catch (error) {
    reporter.failed(title, error as Error, performance.now() - start)
    throw error
  }
}
