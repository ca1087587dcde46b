/**
 * Keeps a table in the kernel equal to what it should be: changes in one transaction each, and looks from time
 * to time whether somebody else has flushed or edited it (firewall managers do that to all tables). The one
 * place that decides that the kernel is wrong and the data right.
 */
import { messageOf } from '../../shared/errors.ts'
import { closeNamespace, createNamespace } from '../kernel/netns.ts'
import { type Nft, NftError, NftGeneration, type NftSession } from '../kernel/nft.ts'
import type { Log } from './context.ts'
import {
  applyChanges,
  type RuleChange,
  type Ruleset,
  renderChanges,
  renderRemoval,
  renderTable,
  undoOf,
} from './ruleset.ts'

export interface FirewallOptions {
  nft: Nft
  log: Log
  /** As it should be. Owned by the firewall from now on. */
  ruleset: Ruleset
  /** A descriptor of the namespace that the table is in; this thread's when left out. */
  namespace?: number
}

export class Firewall {
  readonly #options: FirewallOptions
  readonly #generation: NftGeneration
  readonly #session: NftSession
  /** The generation that holds the table as it should be, as far as we know. */
  #verified: number | undefined
  #canonical: string | undefined
  /** How often the kernel's table was found to be other than it should be. */
  repairs = 0

  constructor(options: FirewallOptions) {
    this.#options = options
    this.#generation = new NftGeneration(options.namespace)
    try {
      this.#session = options.nft.open(options.namespace)
    } catch (error) {
      this.#generation.close()
      throw error
    }
  }

  get ruleset(): Ruleset {
    return this.#options.ruleset
  }

  /** Puts the whole table in the place of whatever is there. @throws NftError */
  replace(): void {
    this.#run(renderTable(this.#options.ruleset))
    this.#verified = this.#generation.read()
  }

  /**
   * Makes changes, all or none. Where the table is not what it should be, all of it is replaced.
   * @throws NftError; the table and the data are then as before
   */
  change(changes: readonly RuleChange[]): void {
    if (changes.length === 0) return
    const { ruleset, log } = this.#options
    const undo = undoOf(ruleset, changes)
    try {
      this.#run(renderChanges(ruleset.table, changes))
      applyChanges(ruleset, changes)
    } catch (error) {
      if (!(error instanceof NftError)) throw error
      applyChanges(ruleset, changes)
      try {
        this.replace()
      } catch (second) {
        applyChanges(ruleset, undo)
        throw second
      }
      this.repairs++
      log.warn(
        { table: ruleset.table, reason: messageOf(error) },
        'replaced the firewall table: it was changed',
      )
    }
  }

  /**
   * Compares the kernel's table with what it should be, if anybody has changed rules since the last time.
   * @returns whether it had to be repaired. @throws NftError where it can't be
   */
  check(): boolean {
    const generation = this.#generation.read()
    if (generation === this.#verified) return false
    const { ruleset, log } = this.#options
    if (this.#list(this.#session) !== this.#wantedText()) {
      this.replace()
      this.repairs++
      log.warn({ table: ruleset.table }, 'repaired the firewall table: somebody else had changed it')
      return true
    }
    this.#verified = generation
    return false
  }

  /** Takes the table away. @throws NftError */
  remove(): void {
    this.#session.run(renderRemoval(this.#options.ruleset.table))
  }

  close(): void {
    this.#session.close()
    this.#generation.close()
  }

  /** Each transaction of ours adds one to the generation; any other number at the next check is not ours. */
  #run(commands: string): void {
    this.#session.run(commands)
    this.#canonical = undefined
    if (this.#verified !== undefined) this.#verified = (this.#verified + 1) >>> 0
  }

  /** How nft itself writes the table as it should be: applied in an empty namespace and listed. */
  #wantedText(): string {
    if (this.#canonical === undefined) {
      const { nft, ruleset } = this.#options
      const scratch = createNamespace()
      const session = nft.open(scratch)
      try {
        session.run(renderTable(ruleset))
        this.#canonical = this.#list(session)
      } finally {
        session.close()
        closeNamespace(scratch)
      }
    }
    return this.#canonical
  }

  #list(session: NftSession): string {
    try {
      return session.run(`list table ip ${this.#options.ruleset.table}`)
    } catch (error) {
      // There is no such table, most likely; what it really is shows when it is replaced.
      if (error instanceof NftError) return ''
      throw error
    }
  }
}
