/** Which subnet a network gets that names none: the first free one of Docker's default pools. Pure. */
import { overlaps, parseSubnet, type Subnet, sizeOf } from './ipv4.ts'

/** Docker's pools for local networks, and the length of the subnets cut from each (libnetwork/ipamutils). */
const defaultPools: readonly [pool: string, prefixLength: number][] = [
  ['172.17.0.0/16', 16],
  ['172.18.0.0/16', 16],
  ['172.19.0.0/16', 16],
  ['172.20.0.0/14', 16],
  ['172.24.0.0/14', 16],
  ['172.28.0.0/14', 16],
  ['192.168.0.0/16', 20],
]

/** Docker's own choice for the network `bridge`. */
export const defaultBridgeSubnet = '172.17.0.0/16'

/** All subnets of the pools, in the order in which they are handed out. */
export function* candidates(): Generator<Subnet> {
  for (const [text, prefixLength] of defaultPools) {
    const pool = parseSubnet(text)!
    for (let i = 0; i < 2 ** (prefixLength - pool.prefixLength); i++) {
      yield { first: pool.first + i * sizeOf({ first: 0, prefixLength }), prefixLength }
    }
  }
}

/**
 * The first candidate that overlaps nothing taken; undefined where there is none left.
 * @param taken routes and addresses of the host, and the subnets of other networks
 */
export function chooseSubnet(taken: readonly Subnet[]): Subnet | undefined {
  return candidates().find((candidate) => !taken.some((other) => overlaps(candidate, other)))
}
