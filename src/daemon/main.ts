/** A daemon's life: start, pid file, the signals that end it. Containers outlive it. */
import { rmSync, writeFileSync } from 'node:fs'
import { causeChain, Failure } from '../shared/errors.ts'
import { startEngine } from './engine.ts'
import type { DaemonOptions } from './flags.ts'

/** Runs until SIGTERM or SIGINT. @throws what the start does */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const engine = await startEngine(options)
  try {
    writeFileSync(options.pidfile, `${process.pid}\n`, { mode: 0o644 })
  } catch (error) {
    await engine.stop()
    throw error
  }
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name))
  })
  engine.log.info({ signal }, 'engine stops; containers go on')
  rmSync(options.pidfile, { force: true })
  await engine.stop()
}

/** For whoever starts the daemon without the command frame: one line for people, all of it for --debug. */
export function reportFatal(error: unknown, debug: boolean): number {
  const [message, ...causes] = causeChain(error)
  process.stderr.write(`tshost: ${message}\n`)
  if (error instanceof Failure) for (const next of error.suggestions) process.stderr.write(`  ${next}\n`)
  if (debug) for (const cause of causes) process.stderr.write(`  caused by: ${cause}\n`)
  if (debug && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return error instanceof Failure ? error.exit : 1
}
