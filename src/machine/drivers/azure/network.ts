/**
 * The virtual network with its subnet: shared by an owner's machines in a region, or the user's own, which is used
 * and never edited. Who removes the last interface in it removes it; the service itself refuses any earlier.
 */
import { fail } from '../../errors.ts'
import { tagKeys } from '../tags.ts'
import { azureCode, finish, found, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import type { AzureMachine } from './settings.ts'

type Signal = AbortSignal | undefined

/** @throws E_OPTION where a network that is not ours lacks the subnet */
export async function ensureNetwork(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { network, location, options, owner, sharedTags: tags } = machine
  const there = await findNetwork(azure, machine, signal)
  if (there?.subnets?.some(({ name }) => name === network.subnet)) return
  if (there && there.tags?.[tagKeys.owner] !== owner) {
    const why = `the network ${network.name} has no subnet ${network.subnet}, and it is not ours to edit`
    throw fail('E_OPTION', { option: '--azure-subnet', why })
  }
  const addressPrefix = String(options['subnet-prefix'] ?? '192.168.0.0/16')
  const body = {
    location,
    tags,
    addressSpace: { addressPrefixes: [addressPrefix] },
    subnets: [{ name: network.subnet, addressPrefix }],
  }
  await finish(azure, `make the network ${network.name}`, signal, (call) =>
    azure.network.virtualNetworks.createOrUpdate(network.group, network.name, body, call),
  )
}

export async function isNetworkThere(azure: Azure, machine: AzureMachine, signal: Signal): Promise<boolean> {
  const there = await findNetwork(azure, machine, signal)
  return there?.subnets?.some(({ name }) => name === machine.network.subnet) === true
}

/**
 * Removes the network if it is ours and nothing is attached to it.
 * @returns why it stays, or undefined when it is gone
 */
export async function removeNetwork(
  azure: Azure,
  machine: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const { network, owner } = machine
  const there = await findNetwork(azure, machine, signal)
  if (!there) return undefined
  if (there.tags?.[tagKeys.owner] !== owner) return `the network ${network.name} is not ours`
  try {
    await remove(azure, `the network ${network.name}`, signal, (options) =>
      azure.network.virtualNetworks.delete(network.group, network.name, options),
    )
    return undefined
  } catch (error) {
    // By an interface of this machine's own, which could not be removed: then it is to be tried again.
    if (!inUseCodes.includes(azureCode(error) ?? '') || (await hasOwnNic(azure, machine, signal))) throw error
    return `the network ${network.name} is in use by other machines`
  }
}

async function hasOwnNic(azure: Azure, { group, names }: AzureMachine, signal: Signal): Promise<boolean> {
  const nic = await found(`look at the interface ${names.nic}`, signal, (options) =>
    azure.network.networkInterfaces.get(group, names.nic, options),
  )
  return nic !== undefined
}

const inUseCodes = ['InUseSubnetCannotBeDeleted', 'InUseVirtualNetworkCannotBeDeleted', 'InUse']

/** The id that an interface refers to its subnet by. */
export function subnetId({ subscription }: Azure, { network }: AzureMachine): string {
  return `/subscriptions/${subscription}/resourceGroups/${network.group}/providers/Microsoft.Network/virtualNetworks/${network.name}/subnets/${network.subnet}`
}

async function findNetwork(azure: Azure, { network }: AzureMachine, signal: Signal) {
  return found(`look at the network ${network.name}`, signal, (options) =>
    azure.network.virtualNetworks.get(network.group, network.name, options),
  )
}
