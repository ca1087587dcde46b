/** What the parts of the network get handed instead of reaching for it. */
import type { NetlinkSocket } from '../kernel/netlink.ts'
import type { Nft } from '../kernel/nft.ts'
import type { Names } from './names.ts'

/** The part of pino's interface that is used here: fields first, then one sentence. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Wall-clock time and timers. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Calls `fn` once after `ms`; the returned function cancels. */
  after(ms: number, fn: () => void): () => void
}

/** An entry of the engine's event stream, in the parts that GET /events shows. */
export interface NetworkEvent {
  type: 'network'
  action: 'create' | 'connect' | 'disconnect' | 'destroy' | 'remove' | 'prune'
  id: string
  attributes: Record<string, string>
}

/** The host's own network, and the doors to it. */
export interface HostDoors {
  /** A descriptor of the host's network namespace; undefined where it is this process's own. */
  namespace?: number
  /** rtnetlink there. */
  socket: NetlinkSocket
  nft: Nft
  names: Names
  log: Log
  clock: Clock
}
