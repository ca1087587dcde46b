/** How badly the fake cloud behaves. Every trait is off unless a test turns it on. */

export interface BehaviourOptions {
  /** What is new is not shown by describes for up to this long; each resource has its own, seeded share. */
  consistencyMs?: number
  /** Actions, too, don't know what describes don't show yet. */
  staleActions?: boolean
  /** Calls that the cloud takes; beyond that RequestLimitExceeded. */
  throttle?: { perSecond: number; burst: number }
  /** True where there is no room for this type in this zone. */
  isFull?: (type: string, zone: string, isSpot: boolean) => boolean
  /** RunInstances makes another one for a known ClientToken, as some emulators do. */
  ignoresTokens?: boolean
  /** How long instances take from one state to the next. */
  changeMs?: number
  /** How long a terminated instance's network interface holds its groups. */
  interfaceLagMs?: number
  /** Real milliseconds that each call takes. */
  latencyMs?: number
  /** Public address of every instance, where tests have a real host there. */
  address?: string
  seed?: number
}

export class Behaviour {
  readonly options: BehaviourOptions
  readonly changeMs: number
  readonly interfaceLagMs: number
  readonly #random: () => number
  #tokens: number
  #filledMs: number | undefined

  constructor(options: BehaviourOptions) {
    this.options = options
    this.changeMs = options.changeMs ?? 5_000
    this.interfaceLagMs = options.interfaceLagMs ?? 0
    this.#random = mulberry(options.seed ?? 1)
    this.#tokens = options.throttle?.burst ?? 0
  }

  /** How long the next new resource stays unseen. */
  consistencyMs(): number {
    const most = this.options.consistencyMs ?? 0
    return Math.round(most * (0.5 + this.#random() / 2))
  }

  /** Takes a token from the account's bucket; false where it is empty. */
  admits(nowMs: number): boolean {
    const { throttle } = this.options
    if (!throttle) return true
    const passed = nowMs - (this.#filledMs ?? nowMs)
    this.#filledMs = nowMs
    this.#tokens = Math.min(throttle.burst, this.#tokens + (passed / 1000) * throttle.perSecond)
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/** A small seeded generator of numbers from 0 to 1. */
function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}
