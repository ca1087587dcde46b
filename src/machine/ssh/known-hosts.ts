/**
 * Host keys that the user's own ssh knows already, in plain or hashed form.
 */
import { createHmac } from 'node:crypto'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { readIfThere } from '../../shared/files.ts'
import { bareKey } from './keys.ts'

/** Public key lines of this host in ~/.ssh/known_hosts; none where it is not in it. */
export async function knownHostKeys(host: string, port: number, home = homedir()): Promise<string[]> {
  const text = await readIfThere(join(home, '.ssh', 'known_hosts'))
  return text === undefined ? [] : findHostKeys(text, host, port)
}

/** The keys that a known_hosts text has for this host. Revoked keys and authorities (@ lines) don't count. */
export function findHostKeys(text: string, host: string, port: number): string[] {
  const name = port === 22 ? host : `[${host}]:${port}`
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#') && !line.startsWith('@'))
    .filter((line) =>
      line
        .split(/\s+/)[0]!
        .split(',')
        .some((pattern) => matches(pattern, name)),
    )
    .map((line) => bareKey(line.slice(line.search(/\s/))))
}

function matches(pattern: string, name: string): boolean {
  const [, version, salt, digest] = pattern.split('|')
  if (version !== '1') return pattern === name
  return createHmac('sha1', Buffer.from(salt!, 'base64')).update(name).digest('base64') === digest
}
