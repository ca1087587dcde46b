/**
 * How the driver makes its calls: an operation is followed to its end, "not there" is an answer, and what fails says
 * what was being done.
 */
import { formatMs } from '../../../shared/deadline.ts'
import { errnoOf, isFailure, messageOf } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import type { Azure } from './clients.ts'
import { pause } from './pace.ts'

/** What every call of the SDK takes. */
export interface CallOptions {
  abortSignal?: AbortSignal
}

/** An operation that the service works on: what we use of the SDK's pollers. */
interface Operation<T> {
  readonly isDone: boolean
  readonly result: T | undefined
  readonly operationState: object | undefined
  submitted: () => Promise<void>
  poll: (options: CallOptions) => Promise<unknown>
}

/**
 * Starts an operation and waits for its end, as often as the service wants to be asked.
 * @param what what it does, for the error: "make the address x"
 * @throws E_AZURE, E_AZURE_SIGN_IN, E_AZURE_BUSY when it takes longer than the limit; the signal's reason
 */
export async function finish<T>(
  azure: Azure,
  what: string,
  signal: AbortSignal | undefined,
  begin: (options: CallOptions) => Operation<T>,
): Promise<T | undefined> {
  const { clock, limits, times } = azure
  return call(what, signal, async () => {
    const end = clock.now() + limits.operationMs
    const poller = begin({ abortSignal: signal })
    await poller.submitted()
    while (!poller.isDone) {
      // Where to ask stands in the state, and not in its type.
      const { config } = (poller.operationState ?? {}) as { config?: { operationLocation?: string } }
      const url = config?.operationLocation
      await pause(clock, times.of(url) ?? limits.pollMs, signal)
      const limit = formatMs(limits.operationMs)
      if (clock.now() > end)
        throw fail('E_AZURE_BUSY', { what, why: 'it goes on and on', waited: limit, limit })
      await poller.poll({ abortSignal: signal })
    }
    return poller.result
  })
}

/** The answer, or undefined where the thing is not there. */
export async function found<T>(
  what: string,
  signal: AbortSignal | undefined,
  ask: (options: CallOptions) => Promise<T>,
): Promise<T | undefined> {
  try {
    return await call(what, signal, () => ask({ abortSignal: signal }))
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Everything of a list that comes in pages. */
export async function listed<T>(
  what: string,
  signal: AbortSignal | undefined,
  list: (options: CallOptions) => AsyncIterable<T>,
): Promise<T[]> {
  return call(what, signal, async () => {
    const all: T[] = []
    for await (const item of list({ abortSignal: signal })) all.push(item)
    return all
  })
}

/**
 * Deletes what may be there; one that is not there is deleted. Where it was the operation that nobody knew any more,
 * and not the thing, the second call tells.
 */
export async function remove(
  azure: Azure,
  what: string,
  signal: AbortSignal | undefined,
  begin: (options: CallOptions) => Operation<void>,
): Promise<void> {
  for (let i = 0; i < 2; i++) {
    try {
      await finish(azure, `remove ${what}`, signal, begin)
      return
    } catch (error) {
      if (!isGone(error)) throw error
    }
  }
}

/**
 * Does all at once, and goes on over failures.
 * @throws the failure, or E_AZURE_SEVERAL that names all; where everything failed for want of what is gone, one of
 * those, so that it can be told
 */
export async function allOf(works: readonly (() => Promise<unknown>)[]): Promise<void> {
  const outcomes = await Promise.allSettled(works.map((work) => work()))
  const failed = outcomes
    .filter((outcome) => outcome.status === 'rejected')
    .map(({ reason }) => reason as Error)
  const [first] = failed
  if (!first) return
  const whys = [...new Set(failed.map(messageOf))]
  if (whys.length === 1 || failed.every(isGone)) throw first
  throw fail('E_AZURE_SEVERAL', { whys }, new AggregateError(failed))
}

/** The service's own code of a failed call, such as "SkuNotAvailable", or undefined. */
export function azureCode(error: unknown): string | undefined {
  return isFailure(error, 'E_AZURE') ? errnoOf(error.cause) : undefined
}

/**
 * True when the service said that the thing, or what it was to be in, is not there. The status alone doesn't tell: a
 * subscription that these credentials can't see is a 404, too, and all may still be in it.
 */
export function isGone(error: unknown): boolean {
  return goneCodes.includes(azureCode(error) ?? '')
}

/** They come with 404, and with 400 where it is something that the call refers to. */
const goneCodes = [
  'InvalidResourceReference',
  'NotFound',
  'ParentResourceNotFound',
  'ResourceGroupNotFound',
  'ResourceNotFound',
]

/** Gives what a call throws its meaning. */
export async function call<T>(
  what: string,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  try {
    signal?.throwIfAborted()
    return await work()
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    if (isFailure(error)) throw error
    const { name } = error as Error
    if (/Credential|Authentication/.test(name)) {
      // Of a whole chain that has nothing, the first line says only that it is a chain.
      const isChain = name === 'AggregateAuthenticationError'
      const why = isChain
        ? 'neither the environment, nor this machine, nor az is signed in'
        : messageOf(error).split('\n')[0]!
      throw fail('E_AZURE_SIGN_IN', { why }, error)
    }
    const code = errnoOf(error) ?? String(statusOf(error) ?? name)
    throw fail('E_AZURE', { what, code, message: messageOf(error) }, error)
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as { statusCode?: number } | undefined)?.statusCode
}
