/** A container's network as the API shows it. Pure. */
import { portMapOf } from './ports.ts'
import type { ContainerRecord, EndpointRecord } from './records.ts'
import type { EndpointConfig, EndpointSettings, NetworkSettings } from './shapes.ts'

/** Of one that runs. */
export function endpointSettings(endpoint: EndpointRecord): EndpointSettings {
  const { requested, dnsNames, aliases, links } = endpoint
  return {
    IPAMConfig: requested.address === undefined ? null : { IPv4Address: requested.address },
    Links: links ?? null,
    Aliases: aliases.length > 0 ? aliases : null,
    MacAddress: endpoint.mac,
    DriverOpts: endpoint.driverOptions ?? null,
    GwPriority: endpoint.gatewayPriority,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    Gateway: endpoint.gateway,
    IPAddress: endpoint.address,
    IPPrefixLen: endpoint.prefixLength,
    ...noIpv6,
    DNSNames: dnsNames.length > 0 ? dnsNames : null,
  }
}

/** Of one that does not run: what it will ask for. */
export function idleEndpointSettings(networkId: string, config: EndpointConfig): EndpointSettings {
  const address = config.IPAMConfig?.IPv4Address
  return {
    IPAMConfig: address ? { IPv4Address: address } : null,
    Links: config.Links ?? null,
    Aliases: config.Aliases ?? null,
    MacAddress: config.MacAddress ?? '',
    DriverOpts: config.DriverOpts ?? null,
    GwPriority: config.GwPriority ?? 0,
    NetworkID: networkId,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    ...noIpv6,
    DNSNames: null,
  }
}

const noIpv6 = { IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0 }

/** NetworkSettings of a container with these endpoints; of one that does not run, undefined. */
export function networkSettings(
  record: ContainerRecord | undefined,
  networks: Record<string, EndpointSettings>,
  exposed: Record<string, object> = {},
): NetworkSettings {
  const top = record?.endpoints.find(({ networkName }) => networkName === 'bridge')
  return {
    Bridge: '',
    SandboxID: record?.id ?? '',
    SandboxKey: '',
    Ports: record ? portMapOf(record.ports, exposed) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: top?.id ?? '',
    Gateway: top?.gateway ?? '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    IPAddress: top?.address ?? '',
    IPPrefixLen: top?.prefixLength ?? 0,
    IPv6Gateway: '',
    MacAddress: top?.mac ?? '',
    Networks: networks,
  }
}
