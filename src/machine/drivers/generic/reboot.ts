/**
 * Rebooting a host over SSH, and being sure that it did: what answers again must be another boot.
 */
import { waitFor } from '../../../shared/deadline.ts'
import { isFailure } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import { connectSsh, type SshTarget } from '../../ssh/connect.ts'
import type { SshConnection } from '../../ssh/connection.ts'

const connectMs = 10_000

/** Ends with 77 where we may not; else the connection breaks, at once or a moment later. */
const script = `
if [ "$(id -u)" = 0 ]; then root=; else root='sudo -n'; $root true 2>/dev/null || exit 77; fi
nohup $root sh -c 'sleep 1; shutdown -r now || reboot' >/dev/null 2>&1 </dev/null &
`
const notAllowed = 77

/**
 * Reboots the host behind `connection` and waits until SSH answers from another boot.
 * @throws E_NO_SUDO; E_SSH_* or WaitTimeout where it is not back within `timeoutMs`
 */
export async function rebootHost(
  connection: SshConnection,
  target: SshTarget,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal },
): Promise<void> {
  const before = await bootIdOf(connection)
  const result = await connection.exec(['sh', '-c', script], { timeoutMs: connectMs, signal })
  if (result.code === notAllowed) throw fail('E_NO_SUDO', { host: target.host, user: target.user })
  const isBack = async () => {
    const fresh = await connectSsh(target, { timeoutMs: connectMs, signal })
    try {
      return (await bootIdOf(fresh)) === before ? undefined : true
    } catch (error) {
      // It goes down while it is asked.
      if (isFailure(error, 'E_SSH_LOST', 'E_REMOTE')) return undefined
      throw error
    } finally {
      fresh.close()
    }
  }
  await waitFor(`${target.host} to be back from its reboot`, isBack, { timeoutMs, everyMs: 500, signal })
}

async function bootIdOf(connection: SshConnection): Promise<string> {
  return (await connection.run(['cat', '/proc/sys/kernel/random/boot_id'], { timeoutMs: connectMs })).trim()
}
