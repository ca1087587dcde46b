/**
 * The resource group: one for all machines of an owner in a region, or the user's own. One that carries our owner's
 * tag and holds nothing goes with the last machine; any other is used and never touched.
 */
import { isFailure } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import { tagKeys } from '../tags.ts'
import { allOf, type CallOptions, call, found, isGone, listed, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { removeNetwork } from './network.ts'
import { backoffMs, pause } from './pace.ts'
import type { AzureMachine } from './settings.ts'

type Signal = AbortSignal | undefined

const leastTries = 5

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
 * Removes the group if it is ours and nothing is in it but the network that this machine may be the last to use.
 * @returns why it stays, or undefined when it is gone
 * @throws E_AZURE_LEFT where something of this machine itself is still in it: it then is to be tried again
 */
export async function removeGroup(
  azure: Azure,
  machine: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const { clock, limits } = azure
  const end = clock.now() + limits.busyMs
  for (let attempt = 0; ; attempt++) {
    try {
      return await removeIfEmpty(azure, machine, signal)
    } catch (error) {
      // Put off: by now something may be in it. Looking alone may have taken as long as the limit: that is no try.
      if (!isFailure(error, 'E_AZURE_BUSY')) throw error
      if (clock.now() > end && attempt >= leastTries) throw error
      await pause(clock, backoffMs(attempt, Math.random), signal)
    }
  }
}

async function removeIfEmpty(
  azure: Azure,
  machine: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const { group, owner, names, network } = machine
  const there = await settledGroup(azure, group, signal)
  if (!there) return undefined
  if (there.tags?.[tagKeys.owner] !== owner) return `the resource group ${group} is not ours`
  const held = await contentOf(azure, group, signal)
  const own = held.find(({ name }) => Object.values(names).includes(name))
  if (own) throw fail('E_AZURE_LEFT', { what: `${own.kind} ${own.name}`, place: group })
  const others = held.filter(({ kind, name }) => kind !== 'network' || name !== network.name)
  if (others[0]) return `the resource group ${group} is in use by ${others[0].kind} ${others[0].name}`
  if (held.length > 0) {
    const why = await removeNetwork(azure, machine, signal)
    if (why !== undefined) return why
  }
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

interface Content {
  kind: string
  name: string
}

/**
 * What is in the group. The list of all kinds lags behind, both ways: so of the kinds that the driver makes, the
 * services that keep them are asked, and the list only of the others.
 */
async function contentOf(azure: Azure, group: string, signal: Signal): Promise<Content[]> {
  const { compute, network, resources } = azure
  const held: Content[] = []
  const of =
    (kind: string, list: (options: CallOptions) => AsyncIterable<{ name?: string; id?: string }>) =>
    async () => {
      const all = await listedIfThere(`list each ${kind} of ${group}`, signal, list)
      held.push(...all.map(({ name, id }) => ({ kind, name: name ?? id ?? '' })))
    }
  await allOf([
    of('VM', (options) => compute.virtualMachines.list(group, options)),
    of('disk', (options) => compute.disks.listByResourceGroup(group, options)),
    of('interface', (options) => network.networkInterfaces.list(group, options)),
    of('address', (options) => network.publicIPAddresses.list(group, options)),
    of('network', (options) => network.virtualNetworks.list(group, options)),
    of('firewall', (options) => network.networkSecurityGroups.list(group, options)),
    async () => {
      const all = await listedIfThere(`list what is in ${group}`, signal, (options) =>
        resources.resources.listByResourceGroup(group, options),
      )
      const others = all.filter(({ type }) => !askedKinds.has(type?.toLowerCase() ?? ''))
      held.push(...others.map(({ type, name }) => ({ kind: type ?? '', name: name ?? '' })))
    },
  ])
  return held
}

/** Nothing, where the group has just gone: another machine was the last. */
async function listedIfThere<T>(
  what: string,
  signal: Signal,
  list: (options: CallOptions) => AsyncIterable<T>,
): Promise<T[]> {
  try {
    return await listed(what, signal, list)
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

const askedKinds = new Set([
  'microsoft.compute/virtualmachines',
  'microsoft.compute/disks',
  'microsoft.network/networkinterfaces',
  'microsoft.network/publicipaddresses',
  'microsoft.network/virtualnetworks',
  'microsoft.network/networksecuritygroups',
])
