/**
 * What a new network gets: a subnet that overlaps nothing known, and a number for its VXLAN.
 */
import { fail } from '../errors.ts'
import type { Draft } from '../store/draft.ts'
import type { Cluster } from '../store/objects/cluster.ts'
import { claims } from '../store/objects/kinds.ts'
import type { IpamConfig } from '../store/objects/network.ts'
import {
  type Block,
  contains,
  formatAddress,
  formatBlock,
  overlap,
  parseAddress,
  parseBlock,
  sizeOf,
} from './ip.ts'

/** Swarm's first number; smaller ones may be in use by people who configure VXLANs by hand. */
const firstVni = 4096
const lastVni = 2 ** 24 - 1

/** @throws E_VNI_NONE */
export function takeVni(draft: Draft, owner: string): number {
  for (let vni = firstVni; vni <= lastVni; vni++) {
    if (draft.ownerOf(claims.vni(vni)) === undefined) {
      draft.claim(claims.vni(vni), owner)
      return vni
    }
  }
  throw fail('E_VNI_NONE', {})
}

export interface WantedSubnet {
  subnet?: string
  gateway?: string
  range?: string
}

/**
 * Takes the subnet that was asked for, or the first free one of the cluster's pools.
 * @param prefix length of a subnet that was not asked for
 * @throws E_SUBNET_INVALID, E_SUBNET_TAKEN, E_POOL_FULL
 */
export function takeSubnet(
  draft: Draft,
  cluster: Pick<Cluster, 'DefaultAddrPool'>,
  prefix: number,
  owner: string,
  wanted: WantedSubnet = {},
): IpamConfig {
  const block =
    wanted.subnet === undefined ? freeBlock(draft, cluster, prefix) : askedBlock(draft, wanted.subnet)
  const subnet = formatBlock(block)
  draft.claim(claims.subnet(subnet), owner)
  const gateway = wanted.gateway || formatAddress(block.base + 1)
  const address = parseAddress(gateway)
  if (address === undefined || !contains(block, address)) {
    throw fail('E_SUBNET_INVALID', { subnet: gateway, why: `the gateway is not in ${subnet}` })
  }
  if (!wanted.range) return { Subnet: subnet, Gateway: gateway }
  const range = parseBlock(wanted.range)
  if (!range || range.prefix < block.prefix || !contains(block, range.base)) {
    throw fail('E_SUBNET_INVALID', { subnet: wanted.range, why: `the range is not in ${subnet}` })
  }
  return { Subnet: subnet, Gateway: gateway, IPRange: formatBlock(range) }
}

function askedBlock(draft: Draft, text: string): Block {
  const block = parseBlock(text)
  if (!block || block.prefix > 29) {
    throw fail('E_SUBNET_INVALID', {
      subnet: text,
      why: 'a subnet is an IPv4 block such as 10.1.2.0/24, /29 or larger',
    })
  }
  for (const network of draft.view.all('network')) {
    if (overlap(block, parseBlock(network.IPAM.Subnet)!)) {
      throw fail('E_SUBNET_TAKEN', { subnet: text, network: network.Name })
    }
  }
  return block
}

function freeBlock(draft: Draft, cluster: Pick<Cluster, 'DefaultAddrPool'>, prefix: number): Block {
  const taken = [...draft.view.all('network')].map((network) => parseBlock(network.IPAM.Subnet)!)
  // An overlay that covers a host's own address would cut that host off.
  const hosts = [...draft.view.all('node')].flatMap((node) =>
    [node.Status.Addr, node.DataPathAddr].flatMap((address) => parseAddress(address) ?? []),
  )
  for (const text of cluster.DefaultAddrPool) {
    const pool = parseBlock(text)
    if (!pool || pool.prefix > prefix) continue
    const end = pool.base + sizeOf(pool.prefix)
    for (let base = pool.base; base < end; base += sizeOf(prefix)) {
      const block = { base, prefix }
      if (draft.ownerOf(claims.subnet(formatBlock(block))) !== undefined) continue
      if (taken.some((other) => overlap(block, other)) || hosts.some((host) => contains(block, host)))
        continue
      return block
    }
  }
  throw fail('E_POOL_FULL', { pools: cluster.DefaultAddrPool.join(', '), prefix })
}
