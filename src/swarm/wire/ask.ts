/**
 * One question to a manager before there is a certificate: for its root certificate, or to join.
 */
import { connect } from 'node:tls'
import { messageOf } from '../../shared/errors.ts'
import { managerName } from '../ca/authority.ts'
import { fail } from '../errors.ts'
import { splitAddress } from './address.ts'
import { encodeFrame, FrameReader, largestFrame } from './frames.ts'
import type { ToManager, ToWorker } from './messages.ts'

export interface AskOptions {
  manager: string
  /** PEM of the root that the manager must show a certificate of. Without it nothing secret may be asked. */
  ca?: string
  timeoutMs: number
}

/** @throws E_MANAGER_UNREACHABLE; the refusal, with the manager's own words, when it refuses */
export async function askManager(message: ToManager, options: AskOptions): Promise<ToWorker> {
  const { host, port } = splitAddress(options.manager)
  const trust = options.ca
    ? { ca: options.ca, servername: managerName }
    : { rejectUnauthorized: false, servername: managerName }
  const socket = connect({ host, port, minVersion: 'TLSv1.3', ...trust })
  const { promise, resolve, reject } = Promise.withResolvers<ToWorker>()
  const limit = setTimeout(() => reject(new Error('no answer in time')), options.timeoutMs)
  const reader = new FrameReader(largestFrame)
  socket.on('secureConnect', () => socket.write(encodeFrame(JSON.stringify(message))))
  socket.on('data', (chunk: Buffer) => {
    try {
      const [text] = reader.push(chunk)
      if (text !== undefined) resolve(JSON.parse(text) as ToWorker)
    } catch (error) {
      reject(error)
    }
  })
  socket.on('error', reject)
  socket.on('close', () => reject(new Error('the manager closed the connection')))
  let answer: ToWorker
  try {
    answer = await promise
  } catch (error) {
    throw fail('E_MANAGER_UNREACHABLE', { manager: options.manager, why: messageOf(error) }, error)
  } finally {
    clearTimeout(limit)
    socket.destroy()
  }
  if (answer.t === 'refused') throw fail('E_MANAGER_REFUSED', { message: answer.message })
  return answer
}
