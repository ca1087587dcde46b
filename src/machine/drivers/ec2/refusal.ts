/**
 * What an error of the SDK means for us: try again, give up, or don't know whether the cloud has acted.
 */
import { errnoOf, messageOf } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'

/**
 * `throttled`, `unreached`: the cloud has done nothing. `doubt`: it may have acted. `refused`: it said no.
 */
export type Verdict = 'throttled' | 'unreached' | 'doubt' | 'refused'

const throttleCodes = new Set([
  'RequestLimitExceeded',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'EC2ThrottledException',
  'TooManyRequestsException',
  'SlowDown',
])
const doubtCodes = new Set(['InternalError', 'InternalFailure', 'ServiceUnavailable', 'Unavailable'])
const unreachedErrnos = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ENETUNREACH', 'EHOSTUNREACH'])
const credentialCodes = new Set([
  'AuthFailure',
  'ExpiredToken',
  'InvalidClientTokenId',
  'MissingAuthenticationToken',
  'RequestExpired',
  'SignatureDoesNotMatch',
  'UnrecognizedClientException',
])

/**
 * No room for this type in this zone, or not there at all: another candidate may do.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
 */
const elsewhereCodes = new Set([
  'InsufficientInstanceCapacity',
  'InsufficientHostCapacity',
  'InsufficientReservedInstanceCapacity',
  'InstanceLimitExceeded',
  'MaxSpotInstanceCountExceeded',
  'SpotMaxPriceTooLow',
  'Unsupported',
  'VcpuLimitExceeded',
])

/** EC2's code of a refusal ("InvalidGroup.NotFound"), from the SDK's error or from our failure's cause. */
export function codeOf(error: unknown): string | undefined {
  if (isServiceError(error)) return error.name
  const { cause } = error as { cause?: unknown }
  return isServiceError(cause) ? cause.name : undefined
}

export function isElsewhere(error: unknown): boolean {
  return elsewhereCodes.has(codeOf(error) ?? '')
}

interface ServiceError {
  name: string
  $metadata: { httpStatusCode?: number }
}

function isServiceError(error: unknown): error is ServiceError {
  return (error as Partial<ServiceError> | null)?.$metadata?.httpStatusCode !== undefined
}

export function judge(error: unknown): Verdict {
  if (!isServiceError(error)) {
    if (isCredentialsError(error)) return 'refused'
    return unreachedErrnos.has(errnoOf(error) ?? '') ? 'unreached' : 'doubt'
  }
  if (throttleCodes.has(error.name)) return 'throttled'
  // EC2 says some clear refusals, such as a lack of room, with status 500.
  if (elsewhereCodes.has(error.name)) return 'refused'
  const { httpStatusCode = 500 } = error.$metadata
  return doubtCodes.has(error.name) || httpStatusCode >= 500 ? 'doubt' : 'refused'
}

function isCredentialsError(error: unknown): boolean {
  const { name } = error as Error
  return name === 'CredentialsProviderError' || name === 'TokenProviderError'
}

/** The failure to show for what the cloud, or the SDK, said to `action`. */
export function failureOf(error: unknown, action: string, where: string): Error {
  const why = messageOf(error).split('\n')[0]!
  const code = codeOf(error)
  if (isCredentialsError(error)) return fail('E_EC2_CREDENTIALS', { why }, error)
  if (code === undefined || judge(error) === 'doubt')
    return fail('E_EC2_SILENT', { where, action, why: code ?? why }, error)
  if (credentialCodes.has(code)) return fail('E_EC2_CREDENTIALS', { why: `${code}: ${why}` }, error)
  if (code === 'UnauthorizedOperation' || code === 'AccessDenied')
    return fail('E_EC2_PERMISSION', { action }, error)
  return fail('E_EC2', { action, code, why }, error)
}
