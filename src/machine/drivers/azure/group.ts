/**
 * The resource group: one for all machines of an owner in a region, or the user's own. One that carries our owner's
 * tag and holds nothing goes with the last machine; any other is used and never touched.
 */
import { tagKeys } from '../tags.ts'
import { allOf, call, found, listed, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { pause } from './pace.ts'
import type { AzureMachine } from './settings.ts'

type Signal = AbortSignal | undefined

/** Makes the group where it is missing; one that is just being removed is waited for. */
export async function ensureGroup(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, location, sharedTags: tags } = machine
  const { resourceGroups } = azure.resources
  const what = `make the resource group ${group}`
  const there = await settledGroup(azure, group, signal)
  if (there) return
  await call(what, signal, () =>
    resourceGroups.createOrUpdate(group, { location, tags }, { abortSignal: signal }),
  )
}

export async function isGroupThere(azure: Azure, { group }: AzureMachine, signal: Signal): Promise<boolean> {
  return (await settledGroup(azure, group, signal)) !== undefined
}

/**
 * Removes the group if it is ours and nothing is in it.
 * @returns why it stays, or undefined when it is gone
 */
export async function removeGroup(
  azure: Azure,
  machine: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const { group, owner } = machine
  const there = await settledGroup(azure, group, signal)
  if (!there) return undefined
  if (there.tags?.[tagKeys.owner] !== owner) return `the resource group ${group} is not ours`
  const held = await contentOf(azure, group, signal)
  if (held.length > 0) return `the resource group ${group} is in use by ${held[0]}`
  await remove(azure, `the resource group ${group}`, signal, (options) =>
    azure.resources.resourceGroups.delete(group, options),
  )
  return undefined
}

async function settledGroup(azure: Azure, group: string, signal: Signal) {
  const { clock, limits } = azure
  const end = clock.now() + limits.operationMs
  for (;;) {
    const there = await found(`look at the resource group ${group}`, signal, (options) =>
      azure.resources.resourceGroups.get(group, options),
    )
    if (there?.properties?.provisioningState !== 'Deleting' || clock.now() > end) return there
    await pause(clock, limits.pollMs, signal)
  }
}

/**
 * Names of what is in the group. The list of all kinds lags behind, both ways: what it names is looked at itself, and
 * what it may not name yet is asked of the services that make it.
 */
async function contentOf(azure: Azure, group: string, signal: Signal): Promise<string[]> {
  const { compute, network, resources } = azure
  const names = new Set<string>()
  const of =
    (kind: string, list: (options: object) => AsyncIterable<{ name?: string; id?: string }>) => async () => {
      const all = await listed(`list the ${kind} of ${group}`, signal, list)
      for (const { name, id } of all) names.add(`${kind} ${name ?? id}`)
    }
  await allOf([
    of('VM', (options) => compute.virtualMachines.list(group, options)),
    of('disk', (options) => compute.disks.listByResourceGroup(group, options)),
    of('interface', (options) => network.networkInterfaces.list(group, options)),
    of('address', (options) => network.publicIPAddresses.list(group, options)),
    of('network', (options) => network.virtualNetworks.list(group, options)),
    of('firewall', (options) => network.networkSecurityGroups.list(group, options)),
    async () => {
      const all = await listed(`list what is in ${group}`, signal, (options) =>
        resources.resources.listByResourceGroup(group, options),
      )
      // Of these kinds the services have been asked themselves.
      for (const { type, name } of all)
        if (!askedKinds.has(type?.toLowerCase() ?? '')) names.add(`${type} ${name}`)
    },
  ])
  return [...names]
}

const askedKinds = new Set([
  'microsoft.compute/virtualmachines',
  'microsoft.compute/disks',
  'microsoft.network/networkinterfaces',
  'microsoft.network/publicipaddresses',
  'microsoft.network/virtualnetworks',
  'microsoft.network/networksecuritygroups',
])
