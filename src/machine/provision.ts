/**
 * `tsmachine provision`: looks at every step of the bootstrap, and does again what is not right.
 */
import { type App, MachineContext } from './context.ts'
import { fail } from './errors.ts'
import { planConverge } from './journal/plan.ts'
import { runForward } from './journal/run.ts'
import { ensureAuthority } from './pki/authority.ts'
import { requireReady } from './power.ts'
import { machineSteps } from './steps.ts'

/**
 * @returns the ids of the steps that changed something
 * @throws E_MACHINE_STATE when it is not running; whatever a step throws
 */
export async function provisionMachine(app: App, name: string): Promise<string[]> {
  await requireReady(app, name)
  await ensureAuthority(app.store)
  return app.store.withMachine(name, async () => {
    const context = await MachineContext.open(app, await requireReady(app, name))
    const state = await context.driver.observe(context)
    if (state !== 'Running' && context.driver.ownsHost) {
      throw fail('E_MACHINE_STATE', { name, state, wanted: 'Running' })
    }
    const made = new Set(context.driver.steps.map(({ id }) => id))
    const steps = machineSteps(context).filter(({ id }) => !made.has(id))
    try {
      const { reporter, signal } = app
      const now = () => app.now().toISOString()
      const plan = planConverge(steps.map(({ id }) => id))
      return await runForward({ steps, context, journal: context.journal, reporter, signal, now }, plan)
    } finally {
      await context.disconnect()
    }
  })
}
