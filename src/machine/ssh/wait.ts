/**
 * Waiting for a host's SSH server: until it lets us in, or it is sure that it won't, or the time is over.
 */
import { waitFor } from '../../shared/deadline.ts'
import { isFailure } from '../../shared/errors.ts'
import { connectSsh, type SshTarget } from './connect.ts'
import type { SshConnection } from './connection.ts'

/** One try's limit; a host that is booting drops packets for a while. */
const tryMs = 10_000

/**
 * Connects as soon as the host lets us. What time won't mend (another host key, a refused login, an unknown
 * name) ends the wait at once.
 * @param progress told about the cause of each try's failure
 * @throws the last try's failure (E_SSH_REFUSED, E_SSH_UNREACHABLE, ...), once `timeoutMs` is over
 */
export async function waitForSsh(
  target: SshTarget,
  options: { timeoutMs: number; signal?: AbortSignal; progress?: (text: string) => void },
): Promise<SshConnection> {
  const start = performance.now()
  const left = () => options.timeoutMs - (performance.now() - start)
  const attempt = async () => {
    try {
      const timeoutMs = Math.max(1_000, Math.min(tryMs, left()))
      return await connectSsh(target, { timeoutMs, signal: options.signal })
    } catch (error) {
      if (isFailure(error) && error.retryable) options.progress?.(error.message)
      throw error
    }
  }
  try {
    return await waitFor(`SSH on ${target.host}`, attempt, { ...options, everyMs: 100 })
  } catch (error) {
    const cause = (error as Error).cause
    if ((error as { code?: string }).code === 'E_TIMEOUT' && isFailure(cause)) throw cause
    throw error
  }
}
