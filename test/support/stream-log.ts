import { type Log, silentLog } from '../../src/swarm/context.ts'

/** A log that remembers which nodes opened a stream to the manager, in turn. */
export class StreamLog implements Log {
  readonly opened: string[] = []
  readonly debug = silentLog.debug
  readonly warn = silentLog.warn
  readonly error = silentLog.error

  info(fields: { nodeId?: string }, message: string): void {
    if (message === 'a node opened its stream') this.opened.push(fields.nodeId!)
  }
}
