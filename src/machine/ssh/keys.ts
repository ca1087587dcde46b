/**
 * SSH key pairs (ED25519), made on the client: the user's, and the host's, so that both sides are known
 * before they first talk.
 */
import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { readIfThere, writeFileAtomic } from '../../shared/files.ts'

export interface SshKeyPair {
  /** OpenSSH's own format, not encrypted. */
  private: string
  /** As authorized_keys and known_hosts have it: "ssh-ed25519 AAAA... comment". */
  public: string
}

/** The pair in `path` and `path.pub`; made where it is missing. */
export async function ensureSshKey(path: string, comment: string): Promise<SshKeyPair> {
  const there = { private: await readIfThere(path), public: await readIfThere(`${path}.pub`) }
  if (there.private && there.public) return { private: there.private, public: there.public.trim() }
  const { utils } = (await import('ssh2')).default
  const made = utils.generateKeyPairSync('ed25519', { comment })
  await rm(path, { force: true })
  await writeFileAtomic(`${path}.pub`, `${made.public.trim()}\n`, 0o644)
  await writeFileAtomic(path, made.private)
  return { private: made.private, public: made.public.trim() }
}

/** "SHA256:..." of a public key line or of the key's own bytes, as ssh-keygen -l prints it. */
export function fingerprint(key: string | Uint8Array): string {
  const bytes = typeof key === 'string' ? Buffer.from(key.split(' ')[1] ?? '', 'base64') : key
  return `SHA256:${createHash('sha256').update(bytes).digest('base64').replace(/=+$/, '')}`
}

/** The type and the key of a public key line, without its comment. */
export function bareKey(line: string): string {
  return line.trim().split(/\s+/).slice(0, 2).join(' ')
}
