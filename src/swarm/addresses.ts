/**
 * Which of a host's addresses others should use.
 */
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { fail } from './errors.ts'
import { splitAddress } from './wire/address.ts'

export interface HostAddress {
  interface: string
  address: string
}

/** The host's addresses, without loopback and link-local ones; IPv4 first. */
export function hostAddresses(): HostAddress[] {
  return Object.entries(networkInterfaces())
    .flatMap(([name, addresses]) =>
      (addresses ?? [])
        .filter(
          (one) => !one.internal && !one.address.startsWith('fe80:') && !one.address.startsWith('169.254.'),
        )
        .map((one) => ({ interface: name, address: one.address, family: one.family })),
    )
    .sort((a, b) => a.family.localeCompare(b.family))
    .map(({ interface: name, address }) => ({ interface: name, address }))
}

/**
 * "ADDRESS", "INTERFACE", either with ":PORT", or nothing -> an address that others can dial.
 * @throws E_ADDRESS_UNKNOWN, E_ADDRESS_UNCLEAR
 */
export function chooseAddress(
  asked: string | undefined,
  known: HostAddress[],
  defaultPort: number,
): { host: string; port: number } {
  if (!asked) {
    const v4 = known.filter(({ address }) => isIP(address) === 4)
    const candidates = v4.length > 0 ? v4 : known
    if (candidates.length === 1) return { host: candidates[0]!.address, port: defaultPort }
    const list = candidates.map((one) => `${one.address} on ${one.interface}`).join(', ')
    throw fail('E_ADDRESS_UNCLEAR', { list })
  }
  const { host, port } = splitAddress(asked, defaultPort)
  if (isIP(host) !== 0) return { host, port }
  const onInterface = known.find((one) => one.interface === host)
  if (!onInterface) throw fail('E_ADDRESS_UNKNOWN', { asked: host })
  return { host: onInterface.address, port }
}
