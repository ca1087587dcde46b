/**
 * Ctrl-C: the first one asks the work to stop and take itself back, the second one ends the process. A journal
 * on disk survives both.
 */

/** conf's atomic writer sends the process each signal once more, on its own way out. */
const echoMs = 300

/** A signal that the first Ctrl-C, or another wish to end, aborts. */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  let firstAt = 0
  const stop = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      if (performance.now() - firstAt < echoMs) return
      process.exit(signal === 'SIGINT' ? 130 : 143)
    }
    firstAt = performance.now()
    console.error('\nstopping; what was made is taken back (Ctrl-C again stops at once)')
    controller.abort(new Error(`stopped by ${signal}`))
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  return controller.signal
}
