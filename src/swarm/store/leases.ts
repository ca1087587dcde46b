/**
 * Time limits of leases. A store that starts again gives each lease its whole time anew, as etcd does: the
 * time the store was away is not its holder's fault.
 */
import type { Clock } from '../context.ts'

export class LeaseTimers {
  readonly #clock: Clock
  readonly #expire: (lease: string) => void
  readonly #leases = new Map<string, { ttlMs: number; cancel: () => void }>()

  constructor(clock: Clock, expire: (lease: string) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  /** Starts the lease's time, or starts it anew. */
  start(lease: string, ttlMs: number): void {
    this.#leases.get(lease)?.cancel()
    const cancel = this.#clock.after(ttlMs, () => {
      this.#leases.delete(lease)
      this.#expire(lease)
    })
    this.#leases.set(lease, { ttlMs, cancel })
  }

  /** False when there is no such lease. */
  renew(lease: string): boolean {
    const known = this.#leases.get(lease)
    if (!known) return false
    this.start(lease, known.ttlMs)
    return true
  }

  stop(lease: string): void {
    this.#leases.get(lease)?.cancel()
    this.#leases.delete(lease)
  }

  close(): void {
    for (const { cancel } of this.#leases.values()) cancel()
    this.#leases.clear()
  }
}
