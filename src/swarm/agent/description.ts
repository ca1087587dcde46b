/**
 * What a node tells of its host, looked at again and again: a host may be renamed, or get more memory.
 */
import { isDeepStrictEqual } from 'node:util'
import { causeChain } from '../../shared/errors.ts'
import type { Context } from '../context.ts'
import type { NodeDescription } from '../store/objects/node.ts'

const checkMs = 5 * 60_000

export class DescriptionWatch {
  readonly #context: Context
  readonly #describe: () => Promise<NodeDescription>
  readonly #changed: (description: NodeDescription) => void
  #last: NodeDescription
  #isStopped = false
  #cancel: () => void

  /** @param changed is called with each description that differs from the last one */
  constructor(
    context: Context,
    describe: () => Promise<NodeDescription>,
    first: NodeDescription,
    changed: (description: NodeDescription) => void,
  ) {
    this.#context = context
    this.#describe = describe
    this.#changed = changed
    this.#last = first
    this.#cancel = this.#checkLater()
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel()
  }

  #checkLater(): () => void {
    return this.#context.clock.after(checkMs, () => void this.#check())
  }

  async #check(): Promise<void> {
    try {
      const description = await this.#describe()
      if (this.#isStopped) return
      if (!isDeepStrictEqual(description, this.#last)) {
        this.#last = description
        this.#changed(description)
      }
    } catch (error) {
      this.#context.log.warn({ causes: causeChain(error) }, 'the host could not be described')
    }
    if (!this.#isStopped) this.#cancel = this.#checkLater()
  }
}
