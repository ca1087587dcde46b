/** What a container has of ours inside its namespace: the resolver's sockets and the table. */

import { containerBase, containerRules, type VirtualAddress } from './container-rules.ts'
import type { HostDoors } from './context.ts'
import type { Zone } from './dns/answer.ts'
import type { OpenResolver, Resolver } from './dns/resolver.ts'
import { Firewall } from './firewall.ts'
import { changesBetween, emptyRuleset } from './ruleset.ts'

export interface ServiceOptions {
  /** The container's id. */
  id: string
  /** A descriptor of its namespace; stays the caller's. */
  namespace: number
  zone: Zone
  /** Where names are asked that are none of ours. */
  servers: () => readonly string[]
  virtualAddresses: readonly VirtualAddress[]
}

export class ContainerServices {
  readonly #id: string
  readonly #resolver: OpenResolver
  readonly #firewall: Firewall

  /** Replaces what an earlier daemon left there. @throws SystemCallError, NftError; then nothing is open */
  constructor(doors: HostDoors, resolver: Resolver, options: ServiceOptions) {
    const { id, namespace, virtualAddresses } = options
    this.#id = id
    this.#resolver = resolver.open(options)
    try {
      const ruleset = {
        ...emptyRuleset(doors.names.table, containerBase),
        ...containerRules({ resolver: this.#resolver, virtualAddresses }, id),
      }
      this.#firewall = new Firewall({ nft: doors.nft, log: doors.log, ruleset, namespace })
    } catch (error) {
      this.#resolver.close()
      throw error
    }
    try {
      this.#firewall.replace()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The services whose virtual addresses this container can use, all of them. @throws NftError */
  setVirtualAddresses(virtualAddresses: readonly VirtualAddress[]): void {
    const wanted = containerRules({ resolver: this.#resolver, virtualAddresses }, this.#id)
    this.#firewall.change(changesBetween(this.#firewall.ruleset, wanted))
  }

  /** Compares and repairs. @returns whether it had to be repaired */
  check(): boolean {
    return this.#firewall.check()
  }

  close(): void {
    this.#resolver.close()
    this.#firewall.close()
  }
}
