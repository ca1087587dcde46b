/**
 * What work under way needs, so that nobody collects it meanwhile: layers and blobs by digest, images by id.
 * Kept in memory only: a crash ends the work, and the next start sweeps what it left.
 */
export class Leases {
  #counts = new Map<string, number>()

  /** Holds the keys until `release`, which may be called more than once. */
  hold(keys: Iterable<string>): { release: () => void } {
    const held = [...keys]
    for (const key of held) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    return {
      release: () => {
        for (const key of held.splice(0)) {
          const left = this.#counts.get(key)! - 1
          if (left > 0) this.#counts.set(key, left)
          else this.#counts.delete(key)
        }
      },
    }
  }

  has(key: string): boolean {
    return this.#counts.has(key)
  }
}
