/**
 * The engine's table inside a container's own namespace: where its questions for names go, and which task a
 * service's virtual address stands for. Here and not on the host, since on a bridged overlay the answer of a
 * task on another host never passes the host's connection tracking (design.md, D5). Pure.
 */
import { resolverAddress } from './files.ts'
import { balanced } from './host-rules.ts'
import type { Ruleset } from './ruleset.ts'

export const containerBase = `
map services { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
map virtual { type ipv4_addr : verdict; }
set refused { type ipv4_addr; }
chain output {
  type nat hook output priority -100; policy accept;
  dnat ip to ip daddr . meta l4proto . th dport map @services
  ip daddr vmap @virtual
}
chain refuse {
  type filter hook output priority filter; policy accept;
  ip daddr @refused meta l4proto tcp reject with tcp reset
  ip daddr @refused reject
}
`

export interface VirtualAddress {
  address: string
  /** Addresses of the tasks that take requests, sorted. None: refuse. */
  endpoints: string[]
}

export interface ContainerRules {
  /** The resolver's ports on 127.0.0.11. */
  resolver?: { udpPort: number; tcpPort: number }
  virtualAddresses: readonly VirtualAddress[]
}

/** @param seed differs from container to container, and so does the task with which each begins */
export function containerRules(
  { resolver, virtualAddresses }: ContainerRules,
  seed: string,
): Pick<Ruleset, 'sets' | 'chains'> {
  const services = new Map<string, string>()
  if (resolver) {
    services.set(`${resolverAddress} . udp . 53`, `${resolverAddress} . ${resolver.udpPort}`)
    services.set(`${resolverAddress} . tcp . 53`, `${resolverAddress} . ${resolver.tcpPort}`)
  }
  const virtual = new Map<string, string>()
  const refused = new Map<string, string>()
  const chains = new Map<string, string[]>()
  for (const { address, endpoints } of virtualAddresses) {
    if (endpoints.length === 0) {
      refused.set(address, '')
      continue
    }
    const chain = `to_${address.replaceAll('.', '_')}`
    chains.set(chain, [`dnat to ${balanced(endpoints, undefined, `${seed}/${address}/${endpoints}`)}`])
    virtual.set(address, `goto ${chain}`)
  }
  return {
    sets: new Map([
      ['services', services],
      ['virtual', virtual],
      ['refused', refused],
    ]),
    chains,
  }
}
