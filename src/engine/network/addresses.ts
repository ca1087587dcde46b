/** Which address an endpoint gets. Pure: what is taken comes from the records, so nothing can be lost or doubled. */
import { contains, lastOf, type Subnet } from './ipv4.ts'

export interface AddressRange {
  subnet: Subnet
  /** Where addresses that nobody asked for come from; the whole subnet when left out (IPAM's IPRange). */
  range?: Subnet
}

/** The addresses of a subnet that no endpoint can have: its own and the broadcast address (RFC 1122, 3.2.1.3). */
export function isReserved(subnet: Subnet, address: number): boolean {
  return subnet.prefixLength < 31 && (address === subnet.first || address === lastOf(subnet))
}

/** True where an endpoint may ask for this address. */
export function isUsable({ subnet }: AddressRange, address: number): boolean {
  return contains(subnet, address) && !isReserved(subnet, address)
}

/**
 * The lowest free address, as Docker hands them out; undefined where the range is full.
 * @param isTaken the gateway, auxiliary addresses, and those of other endpoints
 */
export function chooseAddress(
  { subnet, range = subnet }: AddressRange,
  isTaken: (address: number) => boolean,
): number | undefined {
  for (let address = range.first; address <= lastOf(range); address++) {
    if (!isReserved(subnet, address) && !isTaken(address)) return address
  }
  return undefined
}

/**
 * Docker's classic hardware address of an endpoint: 02:42 and the four bytes of its address. A new container
 * with an old one's address then has its hardware address too, so no neighbour's entry goes stale.
 */
export function macOf(address: number): string {
  const bytes = [0x02, 0x42, ...[24, 16, 8, 0].map((shift) => (address >>> shift) & 255)]
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':')
}
