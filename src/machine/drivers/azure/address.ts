/**
 * The public address: of the standard kind, static, so that it stays the same while the machine is stopped.
 */
import { finish, found, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { type AzureMachine, text } from './settings.ts'

type Signal = AbortSignal | undefined

export async function ensureAddress(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, location, names, tags, options, hasPublicAddress } = machine
  if (!hasPublicAddress) return
  const label = text(options, 'dns')
  const body = {
    location,
    tags,
    sku: { name: 'Standard', tier: 'Regional' },
    publicIPAllocationMethod: 'Static',
    publicIPAddressVersion: 'IPv4',
    ...(label !== undefined && { dnsSettings: { domainNameLabel: label } }),
  }
  await finish(azure, `make the address ${names.address}`, signal, (call) =>
    azure.network.publicIPAddresses.createOrUpdate(group, names.address, body, call),
  )
}

/** The address as clients use it: the DNS name where the user gave it one. */
export async function publicAddress(
  azure: Azure,
  { group, names }: AzureMachine,
  signal: Signal,
): Promise<string | undefined> {
  const there = await found(`look at the address ${names.address}`, signal, (options) =>
    azure.network.publicIPAddresses.get(group, names.address, options),
  )
  return there?.dnsSettings?.fqdn ?? there?.ipAddress
}

export async function removeAddress(azure: Azure, { group, names }: AzureMachine, signal: Signal) {
  await remove(azure, `the address ${names.address}`, signal, (options) =>
    azure.network.publicIPAddresses.delete(group, names.address, options),
  )
}

export function addressId({ subscription }: Azure, { group, names }: AzureMachine): string {
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Network/publicIPAddresses/${names.address}`
}
