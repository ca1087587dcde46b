/** The names of a network's state, ready to be looked up. Pure. */
import type { SwarmNames } from '../dns/zone.ts'
import type { SwarmName } from './state.ts'

/** Of several names of an address the one that tells most: not `tasks.SERVICE`, and the longest of the rest. */
export function indexNames(names: readonly SwarmName[]): SwarmNames {
  const addresses = new Map<string, readonly string[]>()
  const reverse = new Map<string, string>()
  for (const { name, addresses: list } of names) {
    addresses.set(name.toLowerCase(), list)
    if (name.startsWith('tasks.')) continue
    for (const address of list) {
      if (name.length > (reverse.get(address)?.length ?? 0)) reverse.set(address, name)
    }
  }
  return { addresses, names: reverse }
}
