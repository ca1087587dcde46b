/** The network service: what may be removed when, and what must be there before what. */
import type { CloudAnswer } from '../fault-gate.ts'
import { refusal } from './answers.ts'
import type { ArmState, Properties, Resource } from './state.ts'

const nics = 'Microsoft.Network/networkInterfaces'

/** Why it can't be made as asked, or undefined. */
export function refuseNetworkPut(
  state: ArmState,
  type: string,
  properties: Properties,
): CloudAnswer | undefined {
  if (type.toLowerCase() !== nics.toLowerCase()) return undefined
  for (const id of nicReferences(properties)) {
    const place = id.replace(/\/subnets\/[^/]+$/, '')
    const there = state.find(place)
    if (!there) return refusal(404, 'NotFound', `Resource ${id} not found.`)
    const subnet = id.split('/subnets/')[1]
    const subnets = (there.properties.subnets ?? []) as { name: string }[]
    if (subnet !== undefined && !subnets.some(({ name }) => name === subnet))
      return refusal(400, 'InvalidResourceReference', `Resource ${id} referenced was not found.`)
    if (there.busy !== undefined)
      return refusal(409, 'ReferencedResourceNotProvisioned', `${id} is not in Succeeded state.`)
  }
  return undefined
}

/** Why it can't be removed yet, or undefined. */
export function refuseNetworkDelete(state: ArmState, resource: Resource): CloudAnswer | undefined {
  const id = resource.id.toLowerCase()
  if (resource.type === nics) {
    if (resource.properties.virtualMachine)
      return refusal(400, 'NicInUse', `${resource.name} is used by a VM.`)
    return undefined
  }
  const user = state
    .ofType(nics)
    .find(({ properties }) => nicReferences(properties).some((one) => one.toLowerCase().startsWith(id)))
  if (!user) return undefined
  const codes: Record<string, string> = {
    'Microsoft.Network/publicIPAddresses': 'PublicIPAddressCannotBeDeleted',
    'Microsoft.Network/virtualNetworks': 'InUseSubnetCannotBeDeleted',
    'Microsoft.Network/networkSecurityGroups': 'InUseNetworkSecurityGroupCannotBeDeleted',
  }
  return refusal(400, codes[resource.type] ?? 'InUse', `${resource.name} is in use by ${user.name}.`)
}

/** What becomes of a resource once it is provisioned. */
export function finishNetwork(state: ArmState, resource: Resource): void {
  const { properties } = resource
  if (resource.type === 'Microsoft.Network/publicIPAddresses') {
    properties.ipAddress ??= `192.0.2.${1 + (state.next() % 250)}`
    const label = properties.dnsSettings?.domainNameLabel as string | undefined
    if (label) properties.dnsSettings.fqdn = `${label}.${resource.location}.cloudapp.test`
  }
  if (resource.type === nics) {
    const [config] = properties.ipConfigurations as Properties[]
    config!.properties.privateIPAddress ??= `10.0.0.${4 + (state.next() % 250)}`
  }
}

function nicReferences(properties: Properties): string[] {
  const configs = (properties.ipConfigurations ?? []) as Properties[]
  return [
    properties.networkSecurityGroup?.id,
    ...configs.flatMap(({ properties: config }) => [config.subnet?.id, config.publicIPAddress?.id]),
  ].filter((id): id is string => id !== undefined)
}
