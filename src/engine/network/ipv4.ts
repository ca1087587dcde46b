/** IPv4 addresses as numbers, and subnets of them (RFC 4632). Pure. */

/** An address block. `first` is its lowest address, the one that names the network. */
export interface Subnet {
  first: number
  prefixLength: number
}

/** "172.17.0.1" -> 0xac110001; undefined where the text is no address in its usual form. */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)
  if (!match) return undefined
  const parts = match.slice(1).map(Number)
  return parts.some((part) => part > 255) ? undefined : parts.reduce((sum, part) => sum * 256 + part, 0)
}

/** 0xac110001 -> "172.17.0.1" */
export function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

/** How many addresses the block has. */
export function sizeOf({ prefixLength }: Subnet): number {
  return 2 ** (32 - prefixLength)
}

/** The block's highest address: broadcast, where it has one. */
export function lastOf(subnet: Subnet): number {
  return subnet.first + sizeOf(subnet) - 1
}

/**
 * "172.17.0.1/16" -> its address and the block that it is in; undefined where the text is none.
 */
export function parseCidr(text: string): { address: number; subnet: Subnet } | undefined {
  const [, host, length] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? []
  const address = host === undefined ? undefined : parseIpv4(host)
  const prefixLength = Number(length)
  if (address === undefined || prefixLength > 32) return undefined
  return { address, subnet: subnetOf(address, prefixLength) }
}

/** "172.17.0.0/16" -> the block; undefined where the text is none or has bits beyond the prefix. */
export function parseSubnet(text: string): Subnet | undefined {
  const cidr = parseCidr(text)
  return cidr && cidr.address === cidr.subnet.first ? cidr.subnet : undefined
}

/** The block of that length that the address is in. */
export function subnetOf(address: number, prefixLength: number): Subnet {
  const size = 2 ** (32 - prefixLength)
  return { first: address - (address % size), prefixLength }
}

/** "172.17.0.0/16" */
export function formatSubnet({ first, prefixLength }: Subnet): string {
  return `${formatIpv4(first)}/${prefixLength}`
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.first && address <= lastOf(subnet)
}

/** True where every address of `inner` is in `outer`. */
export function encloses(outer: Subnet, inner: Subnet): boolean {
  return contains(outer, inner.first) && contains(outer, lastOf(inner))
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  return contains(a, b.first) || contains(b, a.first)
}
