/**
 * The engine's table in the host's namespace. What each chain is for:
 * - raw: nobody reaches a container's address but by its own bridge (direct routing from the outside, from
 *   other networks, from other engines), and no container reaches the host's 127.0.0.0/8, which its bridge
 *   would route since published ports answer there too.
 * - published: a port of this host -> a container's. One host address goes before any, ours before the swarm's.
 * - output: the same for what this host itself asks.
 * - postrouting: what leaves our networks gets the host's address; what was translated on its way into one of
 *   them gets the bridge's, where the answer would not come back through the host otherwise: a container that
 *   asks for a port that its own network publishes (the bridge would answer it directly), and the host's
 *   loopback. Requests to the swarm's ports get this host's own address on the ingress network, by which the
 *   answers of tasks on other hosts find back; a task on this host sees the client's own.
 * - forward: networks that are internal have no way out and no way in.
 */
import type { SocketProtocol } from '../kernel/netns-sockets.ts'
import type { RuleChange, Ruleset } from './ruleset.ts'

export const hostBase = `
set subnets { type ipv4_addr; flags interval; }
set homes { type ipv4_addr . ifname; flags interval; }
set masqueraded { type ipv4_addr; flags interval; }
set bridges { type ifname; }
set internal { type ifname; }
set internal_pairs { type ifname . ifname; }
set local_tasks { type ipv4_addr; }
map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
map ports_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
map ingress { type inet_proto . inet_service : verdict; }
map node_addresses { type ifname : ipv4_addr; }
chain raw {
  type filter hook prerouting priority raw; policy accept;
  iifname @bridges ip daddr 127.0.0.0/8 drop
  ip daddr @subnets ip daddr . iifname != @homes fib daddr type != local drop
}
chain published {
  dnat ip to ip daddr . meta l4proto . th dport map @ports_at
  dnat ip to meta l4proto . th dport map @ports
  meta l4proto . th dport vmap @ingress
}
chain prerouting {
  type nat hook prerouting priority dstnat; policy accept;
  ip daddr 127.0.0.0/8 return
  fib daddr type local jump published
}
chain output {
  type nat hook output priority -100; policy accept;
  fib daddr type local jump published
}
chain to_bridge {
  ip daddr @local_tasks ip saddr != @subnets ip saddr != 127.0.0.0/8 return
  ct status dnat snat ip to oifname map @node_addresses
  ct status dnat ip saddr @subnets masquerade
  ip saddr 127.0.0.0/8 masquerade
}
chain postrouting {
  type nat hook postrouting priority srcnat; policy accept;
  oifname @bridges jump to_bridge
  ip saddr @masqueraded ip saddr . oifname != @homes masquerade
}
chain forward {
  type filter hook forward priority filter; policy accept;
  iifname @internal iifname . oifname != @internal_pairs drop
  oifname @internal iifname . oifname != @internal_pairs drop
}
`

/** A network as the table sees it. */
export interface NetworkRules {
  bridge: string
  /** CIDR. */
  subnet: string
  /** What leaves it gets the host's address. */
  masquerade: boolean
  internal: boolean
  /** This host's own address on the swarm's ingress network. */
  nodeAddress?: string
}

export interface PublishedPort {
  protocol: SocketProtocol
  /** "0.0.0.0": every address of the host. */
  hostAddress: string
  hostPort: number
  address: string
  port: number
}

export interface IngressRule {
  protocol: SocketProtocol
  publishedPort: number
  targetPort: number
  /** The tasks, sorted by address; never empty. */
  endpoints: { address: string; local: boolean }[]
}

type Elements = [set: string, element: string, value: string][]

function networkElements({ bridge, subnet, masquerade, internal, nodeAddress }: NetworkRules): Elements {
  const device = `"${bridge}"`
  return [
    ['subnets', subnet, ''],
    ['homes', `${subnet} . ${device}`, ''],
    ['bridges', device, ''],
    ...(masquerade && !internal ? ([['masqueraded', subnet, '']] as Elements) : []),
    ...(internal
      ? ([
          ['internal', device, ''],
          ['internal_pairs', `${device} . ${device}`, ''],
        ] as Elements)
      : []),
    ...(nodeAddress === undefined ? [] : ([['node_addresses', device, nodeAddress]] as Elements)),
  ]
}

function portElement({ protocol, hostAddress, hostPort, address, port }: PublishedPort): Elements[number] {
  const to = `${address} . ${port}`
  return hostAddress === '0.0.0.0'
    ? ['ports', `${protocol} . ${hostPort}`, to]
    : ['ports_at', `${hostAddress} . ${protocol} . ${hostPort}`, to]
}

export function addNetworkRules(network: NetworkRules): RuleChange[] {
  return networkElements(network).map(([set, element, value]) => ({ kind: 'add', set, element, value }))
}

export function removeNetworkRules(network: NetworkRules): RuleChange[] {
  return networkElements(network).map(([set, element]) => ({ kind: 'remove', set, element }))
}

export function addPortRules(ports: readonly PublishedPort[]): RuleChange[] {
  return ports.map(portElement).map(([set, element, value]) => ({ kind: 'add', set, element, value }))
}

export function removePortRules(ports: readonly PublishedPort[]): RuleChange[] {
  return ports.map(portElement).map(([set, element]) => ({ kind: 'remove', set, element }))
}

/**
 * The swarm's part of the table, whole: its networks and its ingress ports. Balances by turns; with which task
 * it begins differs from host to host.
 */
export function swarmRules(
  networks: readonly NetworkRules[],
  ingress: readonly IngressRule[],
  seed: string,
): Pick<Ruleset, 'sets' | 'chains'> {
  const sets = new Map<string, Map<string, string>>()
  const chains = new Map<string, string[]>()
  const put = ([set, element, value]: Elements[number]) => {
    const elements = sets.get(set) ?? new Map<string, string>()
    sets.set(set, elements.set(element, value))
  }
  for (const network of networks) for (const element of networkElements(network)) put(element)
  for (const { protocol, publishedPort, targetPort, endpoints } of ingress) {
    const chain = `ingress_${protocol}_${publishedPort}`
    const addresses = endpoints.map(({ address }) => address)
    const target = balanced(addresses, targetPort, `${seed}/${chain}/${addresses}`)
    chains.set(chain, [`meta l4proto ${protocol} dnat ip to ${target}`])
    for (const { address, local } of endpoints) if (local) put(['local_tasks', address, ''])
    put(['ingress', `${protocol} . ${publishedPort}`, `goto ${chain}`])
  }
  return { sets, chains }
}

/**
 * The target of a dnat statement that takes the endpoints in turn.
 * @param port of the endpoints; the request's own when left out
 * @param seed says which of them comes first
 */
export function balanced(endpoints: readonly string[], port: number | undefined, seed: string): string {
  const suffix = port === undefined ? '' : `:${port}`
  if (endpoints.length === 1) return `${endpoints[0]}${suffix}`
  const start = hashOf(seed) % endpoints.length
  const turns = endpoints.map((_, i) => {
    const endpoint = endpoints[(start + i) % endpoints.length]
    return port === undefined ? `${i} : ${endpoint}` : `${i} : ${endpoint} . ${port}`
  })
  return `numgen inc mod ${endpoints.length} map { ${turns.join(', ')} }`
}

/** FNV-1a, 32 bits: spreads, and needs no secrecy. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
