/**
 * Which of the managers that a node is told of has the root certificate that its token names.
 */
import { type Token, trustedRoot } from './ca/token.ts'
import { fail } from './errors.ts'
import { askManager } from './wire/ask.ts'

/**
 * The first one, with its root certificate: all that may be trusted of what it answers.
 * @throws E_TOKEN_DIGEST, E_MANAGER_UNREACHABLE, E_MANAGER_REFUSED; the last one's
 */
export async function findManager(
  remotes: string[],
  token: Token,
  timeoutMs: number,
): Promise<{ manager: string; ca: string }> {
  let failure: unknown = fail('E_MANAGER_UNREACHABLE', { manager: 'nowhere', why: 'no address was given' })
  for (const manager of remotes) {
    try {
      const answer = await askManager({ t: 'ca' }, { manager, timeoutMs })
      const ca = answer.t === 'ca' ? trustedRoot(token, answer.cert) : undefined
      if (ca !== undefined) return { manager, ca }
      failure = fail('E_TOKEN_DIGEST', { manager })
    } catch (error) {
      failure = error
    }
  }
  throw failure
}
