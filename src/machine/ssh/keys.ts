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
  const made = makeSshKey(utils, comment)
  await rm(path, { force: true })
  await writeFileAtomic(`${path}.pub`, `${made.public.trim()}\n`, 0o644)
  await writeFileAtomic(path, made.private)
  return { private: made.private, public: made.public.trim() }
}

/** The part of ssh2 that makes and reads keys. */
export type SshKeyTools = Pick<typeof import('ssh2').utils, 'generateKeyPairSync' | 'parseKey'>

/** Far beyond bad luck: one key in some 500 is bad. */
const keyTries = 20

/**
 * A pair that can be read back. ssh2 1.17 writes one in some 500 ED25519 keys so that nobody, itself included,
 * can read it.
 * @throws the reader's own error where no key at all can be read
 */
export function makeSshKey({ generateKeyPairSync, parseKey }: SshKeyTools, comment: string): SshKeyPair {
  for (let i = 1; ; i++) {
    const pair = generateKeyPairSync('ed25519', { comment })
    const key = parseKey(pair.private)
    if (!(key instanceof Error)) return pair
    if (i === keyTries) throw key
  }
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
