/**
 * The network interface, which ties subnet, security group and address together.
 */
import { addressId } from './address.ts'
import { finish, found, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { firewallId } from './firewall.ts'
import { subnetId } from './network.ts'
import { type AzureMachine, text } from './settings.ts'

type Signal = AbortSignal | undefined

/** What the interface is to be, as the service takes it. */
export function nicBody(azure: Azure, machine: AzureMachine) {
  const { location, tags, options, hasPublicAddress } = machine
  const fixed = text(options, 'private-ip-address')
  return {
    location,
    tags,
    networkSecurityGroup: { id: firewallId(azure, machine) },
    enableAcceleratedNetworking: options['accelerated-networking'] === true,
    ipConfigurations: [
      {
        name: 'main',
        primary: true,
        subnet: { id: subnetId(azure, machine) },
        privateIPAllocationMethod: fixed === undefined ? 'Dynamic' : 'Static',
        ...(fixed !== undefined && { privateIPAddress: fixed }),
        ...(hasPublicAddress && {
          publicIPAddress: { id: addressId(azure, machine), deleteOption: 'Delete' },
        }),
      },
    ],
  }
}

export async function ensureNic(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, names } = machine
  await finish(azure, `make the interface ${names.nic}`, signal, (options) =>
    azure.network.networkInterfaces.createOrUpdate(group, names.nic, nicBody(azure, machine), options),
  )
}

export async function privateAddress(
  azure: Azure,
  { group, names }: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const there = await found(`look at the interface ${names.nic}`, signal, (options) =>
    azure.network.networkInterfaces.get(group, names.nic, options),
  )
  return there?.ipConfigurations?.[0]?.privateIPAddress
}

export async function removeNic(azure: Azure, { group, names }: AzureMachine, signal: Signal): Promise<void> {
  await remove(azure, `the interface ${names.nic}`, signal, (options) =>
    azure.network.networkInterfaces.delete(group, names.nic, options),
  )
}

export function nicId({ subscription }: Azure, { group, names }: AzureMachine): string {
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Network/networkInterfaces/${names.nic}`
}
