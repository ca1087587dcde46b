/** What one container's resolver knows: the names on its networks, in the order of its endpoints. */
import { contains, parseIpv4 } from '../ipv4.ts'
import type { LiveNetwork, NetworkTable } from '../network-table.ts'
import type { EndpointRecord } from '../records.ts'
import type { Zone } from './answer.ts'

/** Names that the swarm's state has for a network; they go before those of this host's containers. */
export interface SwarmNames {
  /** Lower case -> addresses. */
  addresses: ReadonlyMap<string, readonly string[]>
  /** Address -> the name that tells most. */
  names: ReadonlyMap<string, string>
}

export interface ZoneSource {
  table: NetworkTable
  swarmNames: (networkId: string) => SwarmNames | undefined
}

/** @param endpoints the container's, as they are when it is asked */
export function zoneOf({ table, swarmNames }: ZoneSource, endpoints: () => readonly EndpointRecord[]): Zone {
  const networks = () =>
    endpoints().flatMap((endpoint) => {
      const network = table.get(endpoint.networkId)
      // The network `bridge` has no names.
      return network && network.record.name !== 'bridge' ? [{ endpoint, network }] : []
    })
  return {
    get isClosed() {
      return endpoints().every(({ networkId }) => table.get(networkId)?.record.internal ?? false)
    },
    addressesOf(name) {
      for (const { endpoint, network } of networks()) {
        const found = addressesOn(network, endpoint, name, swarmNames(network.record.id))
        if (found) return found
      }
      return undefined
    },
    nameOf(text) {
      const address = parseIpv4(text)
      if (address === undefined) return undefined
      for (const { network } of networks()) {
        if (!network.subnet || !contains(network.subnet, address)) continue
        const name = swarmNames(network.record.id)?.names.get(text) ?? localNameOf(network, text)
        return name === undefined ? null : `${name}.${network.record.name}`
      }
      return undefined
    },
  }
}

function addressesOn(
  network: LiveNetwork,
  endpoint: EndpointRecord,
  name: string,
  swarm: SwarmNames | undefined,
): readonly string[] | undefined {
  const lookUp = (one: string) => swarm?.addresses.get(one) ?? network.names.get(one)
  const suffix = `.${network.record.name.toLowerCase()}`
  const short = name.endsWith(suffix) ? name.slice(0, -suffix.length) : undefined
  // "other:alias" of --link: the alias is this container's own.
  const linked = endpoint.links
    ?.map((link) => link.split(':'))
    .find(([, alias]) => alias?.toLowerCase() === name)
  return (
    lookUp(name) ??
    (short === undefined ? undefined : lookUp(short)) ??
    (linked && lookUp(linked[0]!.toLowerCase()))
  )
}

function localNameOf({ endpoints }: LiveNetwork, address: string): string | undefined {
  for (const { endpoint, containerName } of endpoints.values()) {
    if (endpoint.address === address) return containerName
  }
  return undefined
}
