/**
 * Addresses on networks. Each is a claim in the store, taken and given back in the same transaction as the
 * task, service or node it is for: none is given twice and none is lost, whoever is the manager.
 */
import { createHash } from 'node:crypto'
import type { Draft } from '../store/draft.ts'
import { claims } from '../store/objects/kinds.ts'
import type { Network } from '../store/objects/network.ts'
import { contains, formatAddress, parseAddress, parseBlock, sizeOf } from './ip.ts'

/**
 * Where the search for a free address goes on. Going round, it gives a freed address out again as late as
 * possible, when all hosts have long forgotten its last owner. Memory only: a new manager begins anew.
 */
export class AddressCursors {
  readonly #next = new Map<string, number>()

  /** Claims a free address of the network for `owner`. @returns it as CIDR; undefined when there is none */
  take(draft: Draft, network: Network, owner: string): string | undefined {
    const subnet = parseBlock(network.IPAM.Subnet)!
    const range = parseBlock(network.IPAM.IPRange ?? network.IPAM.Subnet)!
    const size = sizeOf(range.prefix)
    const start = this.#next.get(network.ID) ?? 0
    for (let i = 0; i < size; i++) {
      const address = range.base + ((start + i) % size)
      if (isReserved(address, subnet.base, subnet.base + sizeOf(subnet.prefix) - 1, network)) continue
      const text = formatAddress(address)
      if (draft.ownerOf(claims.address(network.ID, text)) !== undefined) continue
      draft.claim(claims.address(network.ID, text), owner)
      this.#next.set(network.ID, (start + i + 1) % size)
      return `${text}/${subnet.prefix}`
    }
    return undefined
  }
}

/** Gives an address (CIDR) back. */
export function releaseAddress(draft: Draft, networkId: string, address: string, owner: string): void {
  draft.release(claims.address(networkId, bareAddress(address)), owner)
}

/** "10.0.1.5/24" -> "10.0.1.5" */
export function bareAddress(address: string): string {
  const slash = address.indexOf('/')
  return slash < 0 ? address : address.slice(0, slash)
}

/**
 * A MAC that follows from who has it and not from the address, so that an address in new hands is never
 * taken for its last owner. Locally administered; 02:42 as Docker's.
 */
export function macAddressOf(networkId: string, owner: string): string {
  const digest = createHash('sha256').update(`${networkId}/${owner}`).digest()
  return ['02', '42', ...[...digest.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0'))].join(
    ':',
  )
}

/** Addresses that tasks can have in all: what a full network had. */
export function capacityOf(network: Network): number {
  const range = parseBlock(network.IPAM.IPRange ?? network.IPAM.Subnet)!
  const subnet = parseBlock(network.IPAM.Subnet)!
  const ends = [
    subnet.base,
    subnet.base + sizeOf(subnet.prefix) - 1,
    parseAddress(network.IPAM.Gateway) ?? -1,
  ]
  return sizeOf(range.prefix) - new Set(ends.filter((address) => contains(range, address))).size
}

function isReserved(address: number, first: number, last: number, network: Network): boolean {
  return address === first || address === last || formatAddress(address) === network.IPAM.Gateway
}
