/**
 * Join tokens, in Swarm's form: `SWMTKN-1-<digest>-<secret>`. The digest is that of the root certificate, so
 * that the one who joins can tell the right manager from another one before he says anything; the secret
 * tells the manager that he may, and in which role.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { certificateDigest, onlyCertificate } from '../../shared/certificates.ts'
import { toBase36 } from '../../shared/ids.ts'
import { fail } from '../errors.ts'

/** 16 random bytes in base 36, as Swarm makes them. */
export function newTokenSecret(): string {
  return toBase36(BigInt(`0x${randomBytes(16).toString('hex')}`), 25)
}

/** The token for a root certificate (PEM) and a role's secret. */
export function joinToken(rootCert: string, secret: string): string {
  return `SWMTKN-1-${digest36(rootCert)}-${secret}`
}

export interface Token {
  digest: string
  secret: string
}

/** @throws E_TOKEN_MALFORMED, which doesn't repeat the token */
export function parseToken(token: string): Token {
  const match = /^SWMTKN-1-([0-9a-z]{50})-([0-9a-z]{25})$/.exec(token.trim())
  if (!match) throw fail('E_TOKEN_MALFORMED', {})
  return { digest: match[1]!, secret: match[2]! }
}

/** Whether a root certificate (PEM) is the one that the token names. */
export function tokenNames(token: Token, rootCert: string): boolean {
  return equal(token.digest, digest36(rootCert))
}

/**
 * A root certificate that a stranger sent, if the token names it: encoded anew, so that what is trusted is what
 * was compared and nothing beside it. Undefined for anything else, and for text with more than one certificate.
 */
export function trustedRoot(token: Token, text: unknown): string | undefined {
  const cert = onlyCertificate(text)
  return cert !== undefined && tokenNames(token, cert) ? cert : undefined
}

/** Compares without telling by its time how much was right. */
export function equal(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}

function digest36(rootCert: string): string {
  return toBase36(BigInt(`0x${certificateDigest(rootCert)}`), 50)
}
