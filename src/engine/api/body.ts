/** Request bodies: JSON with a limit, or a stream that is never held whole. */
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { failures } from '../../shared/errors.ts'

const fail = failures({
  E_BODY: { kind: 'user', http: 400, text: (p: { problem: string }) => `invalid request body: ${p.problem}` },
} as const)

/** A body's bytes. Whoever stops early leaves the rest where it is; the error's answer takes care of it. */
export function chunksOf(stream: Readable): AsyncIterable<Buffer> {
  return stream.iterator({ destroyOnReturn: false })
}

const mostDiscarded = 256 * 1024
const longestDiscardMs = 500

/**
 * Reads what is left of the body of a request that is refused, as far as that is little: a client that is still
 * writing when its connection is closed may never see the answer.
 * @returns whether that was all
 */
export function discardRest(request: IncomingMessage): Promise<boolean> {
  if (request.complete || request.destroyed) return Promise.resolve(request.complete)
  return new Promise((resolve) => {
    let size = 0
    const done = () => {
      clearTimeout(timer)
      request.off('data', onData).off('end', done).off('close', done)
      request.pause()
      resolve(request.complete)
    }
    const onData = (chunk: Buffer) => {
      size += chunk.length
      if (size > mostDiscarded) done()
    }
    const timer = setTimeout(done, longestDiscardMs)
    request.on('data', onData).once('end', done).once('close', done)
    request.resume()
  })
}

const largestJson = 4 * 2 ** 20

/**
 * Reads a JSON object; an empty body is an empty object.
 * @throws E_BODY for anything else, or for more than four megabytes
 */
export async function readJson(stream: Readable | undefined): Promise<Record<string, unknown>> {
  if (!stream) return {}
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of chunksOf(stream)) {
    size += chunk.length
    if (size > largestJson) throw fail('E_BODY', { problem: `more than ${largestJson} bytes` })
    chunks.push(chunk)
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
