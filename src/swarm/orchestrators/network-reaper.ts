/**
 * Networks that users have removed go when nothing on them has an address any more.
 */
import type { Draft } from '../store/draft.ts'
import { claims } from '../store/objects/kinds.ts'
import type { ObjectChange, View } from '../store/replica.ts'

export class NetworkReaper {
  /** Addresses in use, by network. */
  readonly #addresses = new Map<string, number>()
  readonly #removing = new Set<string>()

  constructor(view: View) {
    for (const claim of view.all('claim')) this.#count(claim.ID, 1)
    for (const network of view.all('network')) if (network.Removing) this.#removing.add(network.ID)
  }

  apply(change: ObjectChange): void {
    if (change.kind === 'network') {
      if (change.after?.Removing) this.#removing.add(change.id)
      else this.#removing.delete(change.id)
    } else if (change.kind === 'claim') {
      if (change.after && !change.before) this.#count(change.id, 1)
      else if (change.before && !change.after) this.#count(change.id, -1)
    }
  }

  /** Networks that can go now. */
  due(): string[] {
    return [...this.#removing].filter((id) => !this.#addresses.has(id))
  }

  draftRemoval(draft: Draft, id: string): void {
    const network = draft.get('network', id)
    if (!network || this.#addresses.has(id)) return
    draft.release(claims.subnet(network.IPAM.Subnet), id)
    draft.release(claims.vni(network.Vni), id)
    draft.delete('network', id)
  }

  #count(claim: string, by: number): void {
    const [kind, networkId] = claim.split('/') as [string, string | undefined]
    if (kind !== 'address' || networkId === undefined) return
    const count = (this.#addresses.get(networkId) ?? 0) + by
    if (count > 0) this.#addresses.set(networkId, count)
    else this.#addresses.delete(networkId)
  }
}
