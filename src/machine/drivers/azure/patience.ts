/**
 * What every request to Azure goes through: a time limit, and patience with what passes. All our calls are
 * idempotent (PUTs and DELETEs by name), so each may be sent again whatever became of it.
 */
import type { ComputeManagementClient } from '@azure/arm-compute'
import type { Clock } from '../../../shared/clock.ts'
import { formatMs } from '../../../shared/deadline.ts'
import { errnoOf, isFailure, messageOf } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import { backoffMs, type Limits, type PollTimes, pause, retryAfterMs } from './pace.ts'
import type { Turns } from './turns.ts'

type PipelinePolicy = Parameters<ComputeManagementClient['pipeline']['addPolicy']>[0]
type PipelineRequest = Parameters<PipelinePolicy['sendRequest']>[0]
type PipelineResponse = Awaited<ReturnType<PipelinePolicy['sendRequest']>>

export interface Patience {
  clock: Clock
  limits: Limits
  times: PollTimes
  random: () => number
  turns: Turns
}

/** Conflicts that end by themselves, by code; the same codes come with 400, 409, 412 and 429. */
const passing = new Set([
  'AnotherOperationInProgress',
  'CanceledAndSupersededDueToAnotherOperation',
  'Conflict',
  'NicReservedForAnotherVm',
  'OperationPreempted',
  'ReferencedResourceNotProvisioned',
  'ResourceGroupBeingDeleted',
  'RetryableError',
  'RetryableErrorDueToAnotherOperation',
  'TooManyRequests',
])

/** Something else stands on it, and may be on its way out; where that is not so, waiting long is no use. */
const inUse = new Set([
  'InUseNetworkSecurityGroupCannotBeDeleted',
  'NicInUse',
  'PublicIPAddressCannotBeDeleted',
])

interface Trouble {
  why: string
  limitMs: number
  afterMs?: number
  isThrottled?: boolean
}

/** An operation that was accepted and came to nothing: the code is what the service gives, not what we read out of a text. */
export class OperationFailed extends Error {
  override readonly name = 'OperationFailed'
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** @returns a policy that throws E_AZURE_BUSY, naming what it waited for, when a limit is over */
export function patiencePolicy(patience: Patience): PipelinePolicy {
  const { clock, limits, random, turns } = patience
  return {
    name: 'tsmachinePatience',
    sendRequest: async (request, next) => {
      request.timeout = limits.requestMs
      const signal = request.abortSignal as AbortSignal | undefined
      await turns.take(signal)
      const begun = clock.now()
      for (let attempt = 0; ; attempt++) {
        if (attempt > 0) await turns.take(signal)
        const outcome = await next(request).catch((error: unknown) => error as Error)
        const trouble = troubleOf(outcome, request, patience)
        if (!trouble) {
          if (outcome instanceof Error) throw outcome
          turns.speedUp()
          return checked(outcome, patience)
        }
        if (trouble.isThrottled) turns.slowDown()
        // Some more than the service says, each client its own, so that they don't all come back at once.
        const saidMs = trouble.afterMs && trouble.afterMs * (1 + random() / 4)
        const waitMs = saidMs ?? backoffMs(attempt, random)
        if (isGroupRemoval(request) || clock.now() + waitMs - begun > trouble.limitMs) {
          const waited = formatMs(clock.now() - begun)
          const what = `${request.method} ${new URL(request.url).pathname.split('/').slice(-2).join('/')}`
          throw fail('E_AZURE_BUSY', { what, why: trouble.why, waited, limit: formatMs(trouble.limitMs) })
        }
        await pause(clock, waitMs, signal)
      }
    },
  }
}

/**
 * It takes along whatever is in the group by the time it arrives: it is never repeated here, since who asks must look
 * again whether the group is still empty.
 */
function isGroupRemoval({ method, url }: PipelineRequest): boolean {
  return method === 'DELETE' && /^\/subscriptions\/[^/]+\/resourcegroups\/[^/]+$/i.test(new URL(url).pathname)
}

function troubleOf(
  outcome: PipelineResponse | Error,
  request: PipelineRequest,
  { clock, limits }: Patience,
): Trouble | undefined {
  if (outcome instanceof Error) {
    // An abort that nobody asked for is the request's own time limit.
    if (outcome.name === 'AbortError')
      return request.abortSignal?.aborted ? undefined : { why: 'no answer in time', limitMs: limits.lostMs }
    return isLost(outcome) ? { why: messageOf(outcome), limitMs: limits.lostMs } : undefined
  }
  const { status } = outcome
  if (status < 400) return undefined
  const { code, message } = errorOf(outcome)
  const afterMs = retryAfterMs(outcome.headers.get('retry-after'), clock.now())
  const why = `${code ?? status}${message ? `: ${message}` : ''}`
  if (status === 429) return { why, limitMs: limits.throttledMs, afterMs, isThrottled: true }
  if (status === 408 || status >= 500) return { why, limitMs: limits.busyMs, afterMs }
  if (code === undefined) return undefined
  if (passing.has(code)) return { why, limitMs: limits.busyMs, afterMs }
  return inUse.has(code) ? { why, limitMs: limits.inUseMs, afterMs } : undefined
}

const lostCodes = [
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
]

function isLost(error: Error): boolean {
  if (isFailure(error) || error.name !== 'RestError') return false
  const code = errnoOf(error)
  return code !== undefined && (lostCodes.includes(code) || code === 'REQUEST_SEND_ERROR')
}

/** Notes when the operation may be looked at again, and throws where it has failed. */
function checked(response: PipelineResponse, { clock, times }: Patience): PipelineResponse {
  const { headers, request } = response
  const url = headers.get('azure-asyncoperation') ?? headers.get('location') ?? request.url
  times.note(url, retryAfterMs(headers.get('retry-after'), clock.now()))
  if (request.method !== 'GET' || response.status !== 200) return response
  const body = parsed(response)
  if (body?.status === 'Failed' || body?.status === 'Canceled') {
    const { code = body.status, message = 'no reason given' } = body.error ?? {}
    throw new OperationFailed(code, message)
  }
  return response
}

interface ErrorBody {
  status?: string
  error?: { code?: string; message?: string }
}

function errorOf(response: PipelineResponse): { code?: string; message?: string } {
  return parsed(response)?.error ?? {}
}

function parsed({ bodyAsText }: PipelineResponse): ErrorBody | undefined {
  try {
    const body: unknown = JSON.parse(bodyAsText || '{}')
    return typeof body === 'object' && body !== null ? (body as ErrorBody) : undefined
  } catch {
    // A proxy's page in place of the service's answer: its status says enough.
    return undefined
  }
}
