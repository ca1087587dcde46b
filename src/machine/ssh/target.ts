/**
 * From a machine's recorded SSH address to what connecting needs: the key's text, or an agent.
 */
import { readFile } from 'node:fs/promises'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import type { SshAddress } from '../record.ts'
import type { SshTarget } from './connect.ts'

/** @throws E_SSH_KEY when the key's file can't be read */
export async function sshTarget(address: SshAddress): Promise<SshTarget> {
  const { host, port, user, keyPath, hostKeys } = address
  if (keyPath === undefined) {
    return { host, port, user, hostKeys, agent: process.env.SSH_AUTH_SOCK, credential: "the agent's keys" }
  }
  const privateKey = await readFile(keyPath, 'utf8').catch((error: unknown) => {
    const why = errnoOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw fail('E_SSH_KEY', { path: keyPath, why }, error)
  })
  return { host, port, user, hostKeys, privateKey, credential: keyPath }
}
