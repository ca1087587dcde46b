/**
 * What an owner has in a subscription, and how all of it is: few calls, whatever the number of machines.
 */
import type { MachineRecord } from '../../record.ts'
import type { MachineState, TaggedResource } from '../driver.ts'
import { tagKeys } from '../tags.ts'
import { listed } from './calls.ts'
import type { Azure } from './clients.ts'
import { azureMachine } from './settings.ts'
import { stateOf } from './vm.ts'

type Signal = AbortSignal | undefined

/** Everything that carries the owner's tag, groups included. The list may lag behind what was just made or removed. */
export async function findOwned(azure: Azure, owner: string, signal: Signal): Promise<TaggedResource[]> {
  const filter = `tagName eq '${tagKeys.owner}' and tagValue eq '${owner.replaceAll("'", "''")}'`
  const [resources, groups] = await Promise.all([
    listed('list what is yours', signal, (options) =>
      azure.resources.resources.list({ ...options, filter, expand: 'createdTime' }),
    ),
    listed('list your resource groups', signal, (options) =>
      azure.resources.resourceGroups.list({ ...options, filter }),
    ),
  ])
  return [
    ...resources.map(({ id, type, tags, createdTime }) => ({
      kind: type ?? '',
      id: id ?? '',
      tags: tags ?? {},
      ...(createdTime && { created: createdTime.toISOString() }),
    })),
    ...groups.map(({ id, tags }) => ({
      kind: 'Microsoft.Resources/resourceGroups',
      id: id ?? '',
      tags: tags ?? {},
    })),
  ]
}

/** The states of all of a subscription's machines that are there, by machine id, from one list. */
export async function statesOf(
  azure: Azure,
  records: readonly MachineRecord[],
  signal: Signal,
): Promise<Map<string, MachineState>> {
  const all = await listed('list the VMs', signal, (options) =>
    azure.compute.virtualMachines.listAll({ ...options, statusOnly: 'true' }),
  )
  const states = new Map(
    all.map(({ id, instanceView, provisioningState }) => [
      id?.toLowerCase(),
      stateOf(instanceView?.statuses, provisioningState),
    ]),
  )
  return new Map(
    records.flatMap((record) => {
      const { group, names } = azureMachine(record)
      const id = `/subscriptions/${azure.subscription}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/${names.vm}`
      const state = states.get(id.toLowerCase())
      return state === undefined ? [] : [[record.id, state] as const]
    }),
  )
}
