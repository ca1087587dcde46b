/**
 * Which subnet the local machines of a storage get: one that no route and no address of this machine covers.
 * Pure arithmetic on IPv4 networks; what is in use is handed in.
 */
import { fail } from '../../errors.ts'

/** A network as first address and prefix length. */
export interface Subnet {
  base: number
  bits: number
}

/** What a machine got of the storage's subnet. */
export interface Lease {
  subnet: string
  gateway: string
  address: string
}

/** "192.168.200.0/24", or a bare address as /32; undefined where the text is none. */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(text)
  if (!match) return undefined
  const bytes = match.slice(1, 5).map(Number)
  const bits = match[5] === undefined ? 32 : Number(match[5])
  if (bytes.some((byte) => byte > 255) || bits > 32) return undefined
  const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0)
  return { base: maskOf(address, bits), bits }
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.')
}

export function formatSubnet({ base, bits }: Subnet): string {
  return `${formatAddress(base)}/${bits}`
}

export function overlaps(a: Subnet, b: Subnet): boolean {
  const bits = Math.min(a.bits, b.bits)
  return maskOf(a.base, bits) === maskOf(b.base, bits)
}

/**
 * Ours by habit: engines inside the hosts take 172.17.0.0/16 and on, a swarm's overlays 10.0.0.0/8; the upper
 * half of 192.168.0.0/16 is what home routers leave alone.
 */
const candidates: Subnet[] = Array.from({ length: 127 }, (_, i) => ({
  base: (192 * 2 ** 24 + 168 * 2 ** 16 + (128 + i) * 256) >>> 0,
  bits: 24,
}))

/**
 * The wanted subnet when nothing uses it, else the first free candidate, counted from `seed` on, so that two
 * storages that begin at the same moment look at different ones.
 * @throws E_NO_SUBNET, E_OPTION
 */
export function chooseSubnet(used: readonly Subnet[], wanted: string | undefined, seed: number): Subnet {
  if (wanted !== undefined) return checkWanted(used, wanted)
  for (let i = 0; i < candidates.length; i++) {
    const candidate = candidates[(seed + i) % candidates.length]!
    if (!used.some((other) => overlaps(other, candidate))) return candidate
  }
  throw fail('E_NO_SUBNET', { why: 'all of 192.168.128.0 to 192.168.254.0 are in use' })
}

function checkWanted(used: readonly Subnet[], wanted: string): Subnet {
  const subnet = parseSubnet(wanted)
  const option = '--local-subnet'
  if (!subnet || !wanted.includes('/'))
    throw fail('E_OPTION', { option, why: `"${wanted}" is no IPv4 subnet` })
  if (subnet.bits > 29 || subnet.bits < 16) {
    throw fail('E_OPTION', { option, why: `${wanted} must have a length of 16 to 29` })
  }
  const taken = used.find((other) => overlaps(other, subnet))
  if (taken) throw fail('E_NO_SUBNET', { why: `${wanted} overlaps ${formatSubnet(taken)}, which is in use` })
  return subnet
}

/** The bridge's own address: the subnet's first. */
export function gatewayOf(subnet: Subnet): string {
  return formatAddress(subnet.base + 1)
}

/**
 * The lowest address of the subnet that nobody has.
 * @throws E_NO_SUBNET when it is full
 */
export function chooseAddress(subnet: Subnet, taken: readonly string[]): string {
  const end = subnet.base + 2 ** (32 - subnet.bits) - 1
  for (let address = subnet.base + 2; address < end; address++) {
    const text = formatAddress(address)
    if (!taken.includes(text)) return text
  }
  throw fail('E_NO_SUBNET', { why: `${formatSubnet(subnet)} is full` })
}

function maskOf(address: number, bits: number): number {
  return bits === 0 ? 0 : (address & (-1 << (32 - bits))) >>> 0
}
