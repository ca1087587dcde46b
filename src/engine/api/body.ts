/** Request bodies: JSON with a limit, or a stream that is never held whole. */
import type { Readable } from 'node:stream'
import { failures } from '../../shared/errors.ts'

const fail = failures({
  E_BODY: { kind: 'user', http: 400, text: (p: { problem: string }) => `invalid request body: ${p.problem}` },
} as const)

const largestJson = 4 * 2 ** 20

/**
 * Reads a JSON object; an empty body is an empty object.
 * @throws E_BODY for anything else, or for more than four megabytes
 */
export async function readJson(stream: Readable | undefined): Promise<Record<string, unknown>> {
  if (!stream) return {}
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += (chunk as Buffer).length
    if (size > largestJson) throw fail('E_BODY', { problem: `more than ${largestJson} bytes` })
    chunks.push(chunk as Buffer)
  }
  if (size === 0) return {}
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString())
  } catch (error) {
    throw fail('E_BODY', { problem: (error as Error).message.slice(0, 120) }, error)
  }
  if (value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value))
    throw fail('E_BODY', { problem: 'must be a JSON object' })
  return value as Record<string, unknown>
}
