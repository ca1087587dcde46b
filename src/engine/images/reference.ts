/**
 * Image references: what users write -> one normal form, and back to what docker shows.
 * The grammar and the rules are those of distribution/reference (reference.go, normalize.go).
 */
import { type Digest, isDigest } from './digest.ts'
import { fail } from './errors.ts'

const defaultDomain = 'docker.io'
const officialPrefix = 'library/'

/** A reference in its normal form: the domain is always there, neither tag nor digest need be. */
export interface Reference {
  /** e.g. "docker.io" or "localhost:5000" */
  domain: string
  /** e.g. "library/busybox" */
  path: string
  tag?: string
  digest?: Digest
}

const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const domain = `(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const pathPart = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const grammar = new RegExp(
  `^(${domain})/(${pathPart}(?:/${pathPart})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z0-9_+.-]+:[0-9a-fA-F]{32,}))?$`,
)
const longestName = 255
/** A name has at most 255 characters, a tag 128 and a digest 71: more than all of them need is no reference. */
const longestReference = 1024

/**
 * Reads a name with an optional tag and digest: "x" -> docker.io/library/x.
 * @throws E_REFERENCE in Docker's words
 */
export function parseReference(text: string): Reference {
  const refuse = (problem: string) => fail('E_REFERENCE', { problem })
  if (text.length > longestReference) throw refuse('invalid reference format')
  if (/^[0-9a-f]{64}$/.test(text)) {
    throw refuse(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`)
  }
  const [host, rest] = splitDomain(text)
  const name = rest.replace(/@.*$/, '').replace(/:[^/]*$/, '')
  if (name !== name.toLowerCase()) {
    throw refuse(`invalid reference format: repository name (${name}) must be lowercase`)
  }
  const match = grammar.exec(`${host}/${rest}`)
  if (!match) throw refuse('invalid reference format')
  const [, , path, tag, digest] = match
  if (host.length + 1 + path!.length > longestName) {
    throw refuse(`repository name must not be more than ${longestName} characters`)
  }
  if (digest !== undefined && !isDigest(digest)) throw refuse(`unsupported digest ${digest}: only sha256`)
  return { domain: host, path: path!, ...(tag && { tag }), ...(digest && { digest }) }
}

/** The part before the first slash is a host if it looks like one: a dot, a colon, upper case, "localhost". */
function splitDomain(text: string): [domain: string, rest: string] {
  const at = text.indexOf('/')
  const first = text.slice(0, Math.max(at, 0))
  const isHost = at >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase())
  const host = isHost ? first : defaultDomain
  const rest = isHost ? text.slice(at + 1) : text
  if (host !== defaultDomain && host !== 'index.docker.io') return [host, rest]
  return [defaultDomain, rest.includes('/') ? rest : officialPrefix + rest]
}

/** "latest" where there is neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  return reference.tag || reference.digest ? reference : { ...reference, tag: 'latest' }
}

/** domain/path, which two references to one repository share. */
export function repositoryOf(reference: Reference): string {
  return `${reference.domain}/${reference.path}`
}

/** The normal form as text. */
export function formatReference(reference: Reference): string {
  return repositoryOf(reference) + suffixOf(reference)
}

/** As docker shows it: "busybox:latest", "localhost:5000/x@sha256:..." */
export function familiarReference(reference: Reference): string {
  return familiarName(reference) + suffixOf(reference)
}

/** The same without tag and digest. */
export function familiarName({ domain, path }: Reference): string {
  if (domain !== defaultDomain) return `${domain}/${path}`
  const short = path.slice(officialPrefix.length)
  return path.startsWith(officialPrefix) && !short.includes('/') ? short : path
}

function suffixOf({ tag, digest }: Reference): string {
  return (tag ? `:${tag}` : '') + (digest ? `@${digest}` : '')
}

/**
 * The key that a reference is stored under: the digest wins over the tag, as with Docker, and without either
 * it is the tag "latest".
 */
export function referenceKey(reference: Reference): string {
  const { tag: _, ...rest } = reference
  return formatReference(reference.digest ? rest : withDefaultTag(reference))
}
