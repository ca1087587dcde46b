/** POST /containers/{id}/wait. */
import type { Container } from './container.ts'
import { fail } from './errors.ts'

export type WaitCondition = 'not-running' | 'next-exit' | 'removed'

/**
 * The exit code, once the condition holds. The wait is registered when this function returns, not when its
 * promise is looked at: a container that is started right after can't end unseen.
 * @throws E_PARAMETER for another condition
 */
export function waitForContainer(
  container: Container,
  condition: string,
  signal: AbortSignal,
): Promise<number> {
  if (!['', 'not-running', 'next-exit', 'removed'].includes(condition)) {
    throw fail('E_PARAMETER', { name: 'condition', problem: condition })
  }
  const { signals, record } = container
  const stopped = !container.isRunning && record.state.status !== 'restarting'
  if ((condition === '' || condition === 'not-running') && stopped)
    return Promise.resolve(record.state.exitCode)
  return new Promise((resolve) => {
    const done = (code: number) => {
      signals.off('exit', onExit)
      signals.off('removed', done)
      signal.removeEventListener('abort', onAbort)
      resolve(code)
    }
    const onExit = (code: number) => {
      if (condition !== 'removed') done(code)
    }
    const onAbort = () => done(0)
    signals.on('exit', onExit)
    signals.on('removed', done)
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
