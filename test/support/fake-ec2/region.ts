/** What one account has in one region, and how long the cloud needs to show it. */
import type { Clock } from '../../../src/shared/clock.ts'
import type { Behaviour } from './behaviour.ts'

export interface Resource {
  id: string
  kind: 'instance' | 'volume' | 'key-pair' | 'security-group' | 'elastic-ip'
  tags: Record<string, string>
  bornMs: number
  /** When describes begin to show it. */
  visibleMs: number
}

export interface Key extends Resource {
  name: string
  publicKey: string
}

export interface Rule {
  protocol: string
  from?: number
  to?: number
  source: string
}

export interface Group extends Resource {
  name: string
  vpc: string
  description: string
  rules: Rule[]
}

export type InstanceState = 'pending' | 'running' | 'stopping' | 'stopped' | 'shutting-down' | 'terminated'

export interface Instance extends Resource {
  token?: string
  type: string
  image: string
  keyName?: string
  subnet: string
  zone: string
  vpc: string
  groups: string[]
  isSpot: boolean
  state: InstanceState
  /** The state that follows by itself, and when. */
  next?: { state: InstanceState; atMs: number }
  endedMs?: number
  reason?: string
  wantsPublicIp: boolean
  publicIp?: string
  privateIp: string
  ipv6?: string
  volume: string
  deletesVolume: boolean
  /** The call that made it, for tests to look at. */
  params: object
}

export interface Address extends Resource {
  ip: string
  instance?: string
  association?: string
}

export interface Volume extends Resource {
  sizeGb: number
}

/** How long a terminated instance is still shown. */
const graveMs = 3_600_000

export class Region {
  readonly keys = new Map<string, Key>()
  readonly groups = new Map<string, Group>()
  readonly instances = new Map<string, Instance>()
  readonly addresses = new Map<string, Address>()
  readonly volumes = new Map<string, Volume>()
  readonly name: string
  readonly clock: Clock
  readonly behaviour: Behaviour
  #count = 0

  constructor(name: string, clock: Clock, behaviour: Behaviour) {
    this.name = name
    this.clock = clock
    this.behaviour = behaviour
  }

  newId(prefix: string): string {
    return `${prefix}-${(++this.#count).toString(16).padStart(17, '0')}`
  }

  newIp(prefix: string): string {
    return `${prefix}.${++this.#count % 250}`
  }

  birth<K extends Resource['kind']>(kind: K, prefix: string, tags: Record<string, string>) {
    const now = this.clock.now()
    const visibleMs = now + this.behaviour.consistencyMs()
    return { id: this.newId(prefix), kind, tags, bornMs: now, visibleMs }
  }

  /** Whether describes show it by now. */
  shows(resource: Resource): boolean {
    return this.clock.now() >= resource.visibleMs
  }

  /** Lets time do what it does to instances. */
  settle(): void {
    const now = this.clock.now()
    for (const instance of this.instances.values()) {
      while (instance.next && instance.next.atMs <= now) {
        const { state, atMs } = instance.next
        instance.next = undefined
        instance.state = state
        if (state === 'terminated') this.#bury(instance, atMs)
      }
      if (instance.endedMs !== undefined && now > instance.endedMs + graveMs)
        this.instances.delete(instance.id)
    }
  }

  #bury(instance: Instance, atMs: number): void {
    instance.endedMs = atMs
    instance.publicIp = undefined
    if (instance.deletesVolume) this.volumes.delete(instance.volume)
    for (const address of this.addresses.values()) {
      if (address.instance === instance.id) {
        address.instance = undefined
        address.association = undefined
      }
    }
  }

  /** Whether the group's network interfaces are not all gone yet. */
  isInUse(group: string): boolean {
    const now = this.clock.now()
    return [...this.instances.values()].some(
      ({ groups, state, endedMs }) =>
        groups.includes(group) &&
        (state !== 'terminated' || now < (endedMs ?? 0) + this.behaviour.interfaceLagMs),
    )
  }

  living(): Resource[] {
    this.settle()
    return [
      ...this.keys.values(),
      ...this.groups.values(),
      ...[...this.instances.values()].filter(
        ({ state }) => state !== 'terminated' && state !== 'shutting-down',
      ),
      ...this.addresses.values(),
      // A volume that outlived its instance.
      ...[...this.volumes.values()].filter(
        ({ id }) =>
          ![...this.instances.values()].some(({ volume, state }) => volume === id && state !== 'terminated'),
      ),
    ]
  }
}
