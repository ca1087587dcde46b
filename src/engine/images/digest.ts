/** Digests as OCI writes them: "sha256:" and 64 lower-case hex digits. Nothing else is taken. */
import { createHash, type Hash } from 'node:crypto'

export type Digest = string

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && /^sha256:[0-9a-f]{64}$/.test(text)
}

/** The hex part, which is the name of a blob's file. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length)
}

export function digestOf(data: string | Uint8Array): Digest {
  return finishDigest(createHash('sha256').update(data))
}

export function startDigest(): Hash {
  return createHash('sha256')
}

export function finishDigest(hash: Hash): Digest {
  return `sha256:${hash.digest('hex')}`
}

/**
 * The names of a stack of layers, one for each height: the first is its own diff id, every other
 * H(name of those below, space, diff id) (image-spec config.md, "Layer ChainID").
 */
export function chainIds(diffIds: Digest[]): Digest[] {
  const chain: Digest[] = []
  for (const diffId of diffIds) {
    const below = chain.at(-1)
    chain.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`))
  }
  return chain
}
