/**
 * How long silence may last.
 */
import type { SwarmSpec } from '../store/objects/cluster.ts'

export interface Timing {
  /** Between two beats. */
  periodMs: number
  /** Without any beat a node is down after this. */
  graceMs: number
  /** The same for nodes that have not been heard of since this manager started. */
  startGraceMs: number
}

const defaultPeriodMs = 1000
/** A node is down within four beats, five seconds by default: as many as a host of few cores may miss. */
const beatsMissed = 4

/** From the cluster's spec: users set the period only, as with Swarm. */
export function timingOf(spec: Pick<SwarmSpec, 'Dispatcher'>): Timing {
  const period = spec.Dispatcher?.HeartbeatPeriod
  const periodMs = period ? period / 1e6 : defaultPeriodMs
  return { periodMs, graceMs: periodMs * beatsMissed, startGraceMs: periodMs * beatsMissed * 3 }
}
