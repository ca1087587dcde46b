/**
 * What an owner has in a subscription, and how all of it is: few calls, whatever the number of machines.
 */
import { messageOf } from '../../../shared/errors.ts'
import type { MachineRecord } from '../../record.ts'
import type { MachineState, TaggedResource } from '../driver.ts'
import { tagKeys } from '../tags.ts'
import { listed } from './calls.ts'
import type { Azure } from './clients.ts'
import { azureMachine } from './settings.ts'
import { stateOf } from './vm.ts'

/** All that carries the owner's tag, groups included. The list may lag behind what was just made or removed. */
export async function findOwned(azure: Azure, owner: string): Promise<TaggedResource[]> {
  const filter = filterOf(tagKeys.owner, owner)
  const [resources, groups] = await Promise.all([
    listed('list what is yours', undefined, (options) =>
      azure.resources.resources.list({ ...options, filter, expand: 'createdTime' }),
    ),
    listed('list your resource groups', undefined, (options) =>
      azure.resources.resourceGroups.list({ ...options, filter }),
    ),
  ])
  const kindOfGroup = 'Microsoft.Resources/resourceGroups'
  return [
    ...resources,
    ...groups.map((group) => ({ ...group, type: kindOfGroup, createdTime: undefined })),
  ].map(({ id = '', type: kind = '', location, tags = {}, createdTime }) => ({
    kind,
    id,
    where: `${azure.subscription}/${location}`,
    ...(tags[tagKeys.id] !== undefined && { machineId: tags[tagKeys.id] }),
    ...(tags[tagKeys.name] !== undefined && { machineName: tags[tagKeys.name] }),
    ...(createdTime && { created: createdTime.toISOString() }),
    tags,
  }))
}

/** Where a machine is of which nothing but the id is known: the group and region of the first thing with its tag. */
export async function locate(
  azure: Azure,
  machineId: string,
  signal: AbortSignal,
): Promise<{ group: string; location: string } | undefined> {
  const filter = filterOf(tagKeys.id, machineId)
  const [first] = await listed(`look for what carries the id ${machineId}`, signal, (options) =>
    azure.resources.resources.list({ ...options, filter }),
  )
  const group = first?.id?.split('/')[4]
  return group !== undefined && first?.location !== undefined
    ? { group, location: first.location }
    : undefined
}

/** The states of a subscription's machines, by machine id, from one list; one that is not there is an error. */
export async function statesOf(
  azure: Azure,
  records: readonly MachineRecord[],
): Promise<[id: string, state: MachineState | Error][]> {
  try {
    const all = await listed('list the VMs', undefined, (options) =>
      azure.compute.virtualMachines.listAll({ ...options, statusOnly: 'true' }),
    )
    const states = new Map(
      all.map(({ id, instanceView, provisioningState }) => [
        id?.toLowerCase(),
        stateOf(instanceView?.statuses, provisioningState),
      ]),
    )
    return records.map((record) => {
      const { group, names } = azureMachine(record)
      const id = `/subscriptions/${azure.subscription}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/${names.vm}`
      return [record.id, states.get(id.toLowerCase()) ?? 'Error']
    })
  } catch (error) {
    return records.map(({ id }) => [id, error instanceof Error ? error : new Error(messageOf(error))])
  }
}

function filterOf(key: string, value: string): string {
  return `tagName eq '${key}' and tagValue eq '${value.replaceAll("'", "''")}'`
}
