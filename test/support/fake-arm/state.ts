/**
 * What the fake resource manager holds: groups, resources and the operations that are underway, on a clock.
 */
import type { Clock } from '../../../src/shared/clock.ts'

export interface Resource {
  id: string
  name: string
  group: string
  /** "Microsoft.Network/networkInterfaces". */
  type: string
  location: string
  tags: Record<string, string>
  /** What else stands beside `properties`: sku, zones, plan. */
  more: Record<string, unknown>
  properties: Properties
  createdMs: number
  /** Seeded by a test as somebody else's; the census leaves it out. */
  isForeign: boolean
  /** The operation that works on it. */
  busy?: string
}

// biome-ignore lint/suspicious/noExplicitAny: bodies come from outside, and the fake looks only at what it needs
export type Properties = Record<string, any>

export interface Group {
  id: string
  name: string
  location: string
  tags: Record<string, string>
  isDeleting: boolean
  isForeign: boolean
}

export interface Operation {
  id: string
  readyMs: number
  /** What becomes of it, and the error it ends with. */
  end: () => { code: string; message: string } | undefined
  status: 'InProgress' | 'Succeeded' | 'Failed'
  error?: { code: string; message: string }
}

/** How bad it is; each can be switched on its own. */
export interface Behaviour {
  /** How long operations take, in milliseconds; 0 answers at once. */
  operationMs: number
  /** How soon to ask again, in seconds, as operations and conflicts say it. */
  retryAfterS: number
  /** How far the list of all resources lags behind. */
  listLagMs: number
  /** How long an interface stays reserved for a VM that is gone or came to nothing. */
  nicReservedMs: number
  /** One of so many requests is throttled; 0 is never. */
  throttleEvery: number
  /** How many requests are taken in a second, after ten at once; 0 is any number. */
  perSecond: number
  /** One of so many requests meets an inner error; 0 is never. */
  failEvery: number
  /** Operations tell of themselves by Location only, without Azure-AsyncOperation. */
  locationOnly: boolean
  /** Providers that a new subscription must register first. */
  unregistered: string[]
  /** Refuses a VM for want of capacity: the code, or undefined for room enough. */
  capacity: (vm: { spot: boolean; zone?: string; size: string }) => string | undefined
  /** Capacity is refused in the answer, rather than by the operation. */
  refusesAtOnce: boolean
  offers: string[]
}

export const calm: Behaviour = {
  operationMs: 8_000,
  retryAfterS: 3,
  listLagMs: 20_000,
  nicReservedMs: 180_000,
  throttleEvery: 0,
  perSecond: 0,
  failEvery: 0,
  locationOnly: false,
  unregistered: [],
  capacity: () => undefined,
  refusesAtOnce: false,
  offers: ['0001-com-ubuntu-server-jammy', 'ubuntu-22_04-lts', 'ubuntu-24_04-lts', 'ubuntu-24_04-lts-daily'],
}

/** What a list that lags still shows, or doesn't show yet. */
interface Event {
  atMs: number
  kind: 'made' | 'gone'
  resource: Resource
}

export class ArmState {
  readonly groups = new Map<string, Group>()
  readonly resources = new Map<string, Resource>()
  readonly operations = new Map<string, Operation>()
  readonly reservations = new Map<string, number>()
  readonly registered = new Map<string, number>()
  readonly behaviour: Behaviour
  readonly #clock: Clock
  readonly #events: Event[] = []
  #count = 0

  constructor(clock: Clock, behaviour: Behaviour) {
    this.#clock = clock
    this.behaviour = behaviour
  }

  get now(): number {
    return this.#clock.now()
  }

  next(): number {
    return ++this.#count
  }

  find(id: string): Resource | undefined {
    return this.resources.get(id.toLowerCase())
  }

  put(resource: Resource): void {
    this.resources.set(resource.id.toLowerCase(), resource)
    this.#events.push({ atMs: this.now, kind: 'made', resource })
  }

  drop(resource: Resource): void {
    if (!this.resources.delete(resource.id.toLowerCase())) return
    this.#events.push({ atMs: this.now, kind: 'gone', resource })
  }

  ofType(type: string, group?: string): Resource[] {
    return [...this.resources.values()].filter(
      (one) =>
        one.type.toLowerCase() === type.toLowerCase() &&
        (group === undefined || one.group.toLowerCase() === group.toLowerCase()),
    )
  }

  /** All resources as the list that lags behind has them. */
  lagging(): Resource[] {
    const since = this.now - this.behaviour.listLagMs
    const shown = new Map(this.resources)
    for (const { atMs, kind, resource } of this.#events.toReversed()) {
      if (atMs <= since) break
      if (kind === 'made') shown.delete(resource.id.toLowerCase())
      else shown.set(resource.id.toLowerCase(), resource)
    }
    return [...shown.values()]
  }

  /** Begins an operation; `end` is called when it is over. */
  begin(end: Operation['end'], ms = this.behaviour.operationMs): Operation {
    const id = `op-${this.next()}`
    const operation: Operation = { id, readyMs: this.now + ms, end, status: 'InProgress' }
    this.operations.set(id, operation)
    this.settle()
    return operation
  }

  /** Ends what is due, in the order in which it is due. */
  settle(): void {
    const due = [...this.operations.values()]
      .filter(({ status, readyMs }) => status === 'InProgress' && readyMs <= this.now)
      .sort((a, b) => a.readyMs - b.readyMs)
    for (const operation of due) {
      operation.error = operation.end()
      operation.status = operation.error ? 'Failed' : 'Succeeded'
    }
  }
}
