/** A network as the API shows it. Pure. */
import type { LiveNetwork } from './network-table.ts'
import { optionNames } from './options.ts'
import type { NetworkRecord } from './records.ts'
import type { EndpointResource, IpamConfig, NetworkSummary } from './shapes.ts'

/** @param withContainers only inspect shows them, since API 1.28 */
export function viewNetwork({ record, endpoints }: LiveNetwork, withContainers: boolean): NetworkSummary {
  const containers: Record<string, EndpointResource> = {}
  if (withContainers) {
    for (const [id, { endpoint, containerName }] of endpoints) {
      containers[id] = {
        Name: containerName,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: `${endpoint.address}/${endpoint.prefixLength}`,
        IPv6Address: '',
      }
    }
  }
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: record.scope,
    Driver: record.driver,
    EnableIPv4: record.ipam.subnet !== '',
    EnableIPv6: false,
    IPAM: {
      Driver: record.ipam.driver,
      Options: Object.keys(record.ipam.options).length > 0 ? record.ipam.options : null,
      Config: ipamConfig(record),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: record.ingress,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: containers,
    Options: record.options,
    Labels: record.labels,
  }
}

function ipamConfig({ ipam }: NetworkRecord): IpamConfig[] {
  if (!ipam.subnet) return []
  return [
    {
      Subnet: ipam.subnet,
      ...(ipam.range && { IPRange: ipam.range }),
      ...(ipam.gateway && { Gateway: ipam.gateway }),
      ...(ipam.auxiliary && { AuxiliaryAddresses: ipam.auxiliary }),
    },
  ]
}

/** The options that Docker shows of its network `bridge`. */
export function defaultBridgeOptions(bridge: string): Record<string, string> {
  return {
    [optionNames.defaultBridge]: 'true',
    [optionNames.icc]: 'true',
    [optionNames.masquerade]: 'true',
    [optionNames.hostBinding]: '0.0.0.0',
    [optionNames.name]: bridge,
    [optionNames.mtu]: '1500',
  }
}
