/**
 * A node's rows -> what its data plane should be. Lists are sorted, so that equal states are equal texts.
 */
import type { EndpointRow, ServiceRow } from '../wire/rows.ts'
import type {
  IngressPort,
  NetworkName,
  NetworkState,
  NodeNetworkState,
  Peer,
  VirtualAddress,
} from './engine.ts'
import type { NodeRows } from './rows.ts'

type NetworkRows = NonNullable<ReturnType<NodeRows['networks']['get']>> & {
  /** By service: the endpoints that take requests. */
  live: Map<string, EndpointRow[]>
}

/** @param nodeId this node: what lives on it is no peer */
export function networkStateOf(rows: NodeRows, nodeId: string): NodeNetworkState {
  const networks: NetworkState[] = []
  const ingressPorts: IngressPort[] = []
  for (const stored of rows.networks.values()) {
    const { network } = stored
    if (!network) continue
    const members = { ...stored, live: liveByService(stored.endpoints) }
    const own = members.nodes.get(nodeId)
    networks.push({
      id: network.ID,
      name: network.Name,
      driver: network.Driver,
      vni: network.Vni,
      ...(network.DataPathPort !== undefined && { dataPathPort: network.DataPathPort }),
      subnet: network.Subnet,
      gateway: network.Gateway,
      internal: network.Internal,
      ingress: network.Ingress,
      labels: network.Labels,
      options: network.Options,
      ...(own && { node: { address: own.Address, macAddress: own.MacAddress } }),
      peers: peersOf(members, nodeId),
      names: network.Ingress ? [] : namesOf(members),
      virtualAddresses: network.Ingress ? [] : virtualAddressesOf(members),
    })
    if (network.Ingress) ingressPorts.push(...portsOf(members, nodeId))
  }
  networks.sort(by(({ id }) => id))
  return { revision: rows.revision, networks, ingressPorts }
}

function peersOf({ endpoints, nodes }: NetworkRows, nodeId: string): Peer[] {
  const tasks = [...endpoints.values()].filter((row) => row.NodeID !== nodeId)
  const others = [...nodes].filter(([id]) => id !== nodeId).map(([, row]) => row)
  return [...tasks, ...others]
    .map(({ Address, MacAddress, Host }) => ({ address: bare(Address), macAddress: MacAddress, host: Host }))
    .sort(by(({ address }) => address))
}

/** As Docker: a service's name and aliases, tasks.SERVICE, and each container's name. */
function namesOf({ endpoints, services, live: liveRows }: NetworkRows): NetworkName[] {
  const addresses = new Map<string, Set<string>>()
  const add = (name: string, address: string) => {
    const key = name.toLowerCase()
    const known = addresses.get(key)
    if (known) known.add(address)
    else addresses.set(key, new Set([address]))
  }
  for (const [id, service] of services) {
    const live = addressesOf(liveRows.get(id))
    const answers = service.Vip === undefined ? live : [service.Vip]
    for (const name of [service.Name, ...service.Aliases]) for (const a of answers) add(name, a)
    for (const address of live) add(`tasks.${service.Name}`, address)
  }
  for (const row of endpoints.values()) if (row.Live) add(row.TaskName, row.Address)
  return [...addresses]
    .map(([name, set]) => ({ name, addresses: [...set].sort() }))
    .sort(by(({ name }) => name))
}

function virtualAddressesOf({ services, live }: NetworkRows): VirtualAddress[] {
  return [...services]
    .filter((entry): entry is [string, ServiceRow & { Vip: string }] => entry[1].Vip !== undefined)
    .map(([id, { Name, Vip }]) => ({ address: Vip, service: Name, endpoints: addressesOf(live.get(id)) }))
    .sort(by(({ address }) => address))
}

function portsOf({ services, live }: NetworkRows, nodeId: string): IngressPort[] {
  return [...services]
    .flatMap(([id, service]) =>
      service.Ports.map((port) => ({
        protocol: port.Protocol,
        publishedPort: port.PublishedPort!,
        targetPort: port.TargetPort,
        service: service.Name,
        endpoints: (live.get(id) ?? [])
          .map((row) => ({ address: row.Address, local: row.NodeID === nodeId }))
          .sort(by(({ address }) => address)),
      })),
    )
    .sort(by(({ publishedPort, protocol }) => `${`${publishedPort}`.padStart(5, '0')}/${protocol}`))
}

function liveByService(endpoints: Map<string, EndpointRow>): Map<string, EndpointRow[]> {
  const live = new Map<string, EndpointRow[]>()
  for (const row of endpoints.values()) {
    if (!row.Live) continue
    const rows = live.get(row.ServiceID)
    if (rows) rows.push(row)
    else live.set(row.ServiceID, [row])
  }
  return live
}

function addressesOf(rows: EndpointRow[] = []): string[] {
  return rows.map((row) => row.Address).sort()
}

function bare(address: string): string {
  return address.replace(/\/.*/, '')
}

function by<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)
}
