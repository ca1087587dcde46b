/** Taking back what was done, when a later step fails: the last first, each whatever became of the others. */
import { messageOf } from '../../shared/errors.ts'
import type { Log } from './context.ts'

/**
 * Runs a function that notes how to take back each thing it has done.
 * @throws what the function throws, after everything noted was taken back
 */
export function undoing<T>(log: Log, fn: (onFailure: (undo: () => void) => void) => T): T {
  const undos: (() => void)[] = []
  try {
    return fn((undo) => undos.push(undo))
  } catch (error) {
    settle(log, undos.reverse())
    throw error
  }
}

/** Does all of these; one that fails is logged and does not keep the others from being done. */
export function settle(log: Log, steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step()
    } catch (error) {
      log.error({ reason: messageOf(error) }, 'a part of a network could not be taken back')
    }
  }
}
