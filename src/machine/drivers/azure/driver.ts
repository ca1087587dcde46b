/**
 * The Azure driver. Every resource has a name that follows from the machine's id and is made by a PUT, so that doing
 * a step again is the same call. Taking back goes by the same names and needs nothing remembered.
 */
import type { Step, StepRun } from '../../journal/step.ts'
import type { DriverOptions } from '../../record.ts'
import type { Driver, DriverContext } from '../driver.ts'
import { type Azure, type AzureSetup, connectAzure } from './clients.ts'
import { killVm, restartVm, startVm, stopVm } from './power.ts'
import { type AzureMachine, azureMachine, checkSettings } from './settings.ts'
import { type AzureStep, azureSteps, customData, noteAddress, type Work } from './steps.ts'
import { findOwned, locate, statesOf } from './tagged.ts'
import { vmState } from './vm.ts'

/** A driver of its own connections; tests give it another clock and service. */
export function makeAzureDriver(setup: AzureSetup = {}): Driver {
  const connections = new Map<string, Promise<Azure>>()
  const connect = (options: DriverOptions): Promise<Azure> => {
    const { 'subscription-id': id, 'tenant-id': tenant, environment, endpoint } = options
    const key = JSON.stringify([
      id,
      tenant,
      environment,
      endpoint,
      options['client-id'],
      options['device-code'],
    ])
    const connection = connections.get(key) ?? connectAzure(options, setup)
    connections.set(key, connection)
    return connection
  }
  const open = async (context: DriverContext, run: StepRun): Promise<Work> => {
    const machine = azureMachine(context.record)
    return { azure: await connect(machine.options), machine, context, run }
  }
  // A record that was made up from a tag, to remove what carries it, knows nothing but the machine's id.
  const find = async ({ record }: DriverContext, { signal }: StepRun): Promise<void> => {
    if (Object.keys(record.made).length > 0) return
    const place = await locate(await connect(record.options), record.id, signal)
    record.made.located = place ?? {}
    if (!place) return
    record.options = { ...record.options, 'resource-group': place.group, location: place.location }
  }
  const step = ({ id, describe, probe, act, undo }: AzureStep): Step<DriverContext> => ({
    id: `azure.${id}`,
    describe: ({ record }) => describe(azureMachine(record)),
    probe: async (context, run) => probe(await open(context, run)),
    do: async (context, run) => act(await open(context, run)),
    ...(undo && {
      undo: async (context: DriverContext, run: StepRun) => {
        await find(context, run)
        await undo(await open(context, run))
      },
    }),
  })
  const switched =
    (work: (azure: Azure, machine: AzureMachine, signal: AbortSignal) => Promise<void>) =>
    async (context: DriverContext, run: StepRun) => {
      const opened = await open(context, run)
      await work(opened.azure, opened.machine, run.signal)
      return opened
    }
  const start = switched(startVm)
  return {
    check: async (options) => {
      checkSettings(options)
      await customData(options)
    },
    steps: azureSteps.map(step),
    ownsHost: true,
    observe: async ({ record }) => {
      const machine = azureMachine(record)
      return (await vmState(await connect(machine.options), machine, undefined)) ?? 'Error'
    },
    power: {
      start: async (context, run) => noteAddress(await start(context, run)),
      stop: async (context, run) => void (await switched(stopVm)(context, run)),
      kill: async (context, run) => void (await switched(killVm)(context, run)),
      restart: async (context, run) => noteAddress(await switched(restartVm)(context, run)),
    },
    findTagged: async (options, owner) => findOwned(await connect(options), owner),
    observeMany: async (contexts) => {
      const records = contexts.map(({ record }) => record)
      const bySubscription = Map.groupBy(records, ({ options }) => connect(options))
      const states = await Promise.all(
        [...bySubscription].map(async ([azure, group]) => statesOf(await azure, group)),
      )
      return new Map(states.flat())
    },
  }
}

export const azureDriver = makeAzureDriver()
