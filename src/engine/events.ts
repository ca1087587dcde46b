/** What happens in the engine, as GET /events tells it: a ring for who asks late, and live for who listens. */
import { EventEmitter } from 'node:events'

export interface EngineEvent {
  Type: string
  Action: string
  Actor: { ID: string; Attributes: Record<string, string> }
  scope: 'local' | 'swarm'
  /** Seconds and nanoseconds since 1970. */
  time: number
  timeNano: bigint
}

const kept = 1024

export class EventBus {
  private readonly ring: EngineEvent[] = []
  private readonly emitter = new EventEmitter<{ event: [EngineEvent] }>()

  constructor() {
    this.emitter.setMaxListeners(0)
  }

  emit(
    type: string,
    action: string,
    id: string,
    attributes: Record<string, string> = {},
    scope: EngineEvent['scope'] = 'local',
  ): void {
    const timeNano = Temporal.Now.instant().epochNanoseconds
    const event: EngineEvent = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope,
      time: Number(timeNano / 1_000_000_000n),
      timeNano,
    }
    this.ring.push(event)
    if (this.ring.length > kept) this.ring.shift()
    this.emitter.emit('event', event)
  }

  /** What is still remembered, oldest first. */
  past(): readonly EngineEvent[] {
    return this.ring
  }

  /** @returns a function that ends it */
  subscribe(listener: (event: EngineEvent) => void): () => void {
    this.emitter.on('event', listener)
    return () => this.emitter.off('event', listener)
  }

  listenerCount(): number {
    return this.emitter.listenerCount('event')
  }
}
