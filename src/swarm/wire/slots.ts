/**
 * How many there may be at once: of all, and of one address, so that no host alone takes the places of others.
 */
export class Slots {
  readonly #limit: number
  readonly #limitOfOne: number
  readonly #taken = new Map<string, number>()
  #count = 0

  constructor(limit: number, limitOfOne: number) {
    this.#limit = limit
    this.#limitOfOne = limitOfOne
  }

  /** Takes a place. @returns how to give it back, once or more often; undefined when there is none left */
  take(address: string): (() => void) | undefined {
    const taken = this.#taken.get(address) ?? 0
    if (this.#count >= this.#limit || taken >= this.#limitOfOne) return undefined
    this.#count++
    this.#taken.set(address, taken + 1)
    let isTaken = true
    return () => {
      if (isTaken) this.#giveBack(address)
      isTaken = false
    }
  }

  #giveBack(address: string): void {
    this.#count--
    const left = this.#taken.get(address)! - 1
    if (left > 0) this.#taken.set(address, left)
    else this.#taken.delete(address)
  }
}
