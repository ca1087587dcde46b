/**
 * All steps of a machine, from nothing to a member of a swarm.
 */
import { bootstrapSteps } from './bootstrap/steps.ts'
import { engineUrl, type MachineContext } from './context.ts'
import { type DockerContext, isContextRight, removeContext, writeContext } from './docker-context.ts'
import type { Step } from './journal/step.ts'
import { swarmStep } from './swarm.ts'

export function machineSteps({ driver, record }: MachineContext): Step<MachineContext>[] {
  return [
    ...driver.steps,
    // What is on a host that goes away as a whole needs no way back of its own.
    ...bootstrapSteps.map((step) => (driver.ownsHost ? { ...step, undo: undefined } : step)),
    ...(record.swarm ? [swarmStep] : []),
    ...(record.dockerContext ? [dockerContextStep] : []),
  ]
}

const dockerContextStep: Step<MachineContext> = {
  id: 'docker-context',
  describe: ({ record }) => `Write the docker context ${record.name}`,
  probe: async (context) => isContextRight(await contextOf(context)),
  do: async (context, { progress }) => {
    const written = await writeContext(await contextOf(context))
    if (!written) progress(`left alone: a docker context ${context.record.name} of somebody else is there`)
  },
  undo: ({ record }) => removeContext(record.name, record.id),
}

async function contextOf(context: MachineContext): Promise<DockerContext> {
  const { record } = context
  return {
    name: record.name,
    machineId: record.id,
    url: engineUrl(record),
    credentials: await context.credentials(),
  }
}
