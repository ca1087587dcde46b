/**
 * Where the manager's API is: --host, DOCKER_HOST, the docker context, else a machine that the caller knows.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { readIfThere } from '../../shared/files.ts'
import { fail } from '../errors.ts'

export interface TlsFiles {
  ca?: string
  cert?: string
  key?: string
  /** False: whoever answers is believed. */
  verify: boolean
}

/** An engine's API. Without `tls` it is a socket or plain TCP. */
export interface Endpoint {
  /** unix:///PATH or tcp://HOST:PORT */
  url: string
  tls?: TlsFiles
}

export interface EndpointOptions {
  /** --host */
  host?: string
  environment: Record<string, string | undefined>
  /** The active or only manager among the machines, if there is one. */
  machine?: () => Promise<Endpoint | undefined>
}

/** @throws E_API_HOST, E_CONTEXT_UNKNOWN, E_API_NOWHERE */
export async function findEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { environment } = options
  const host = options.host ?? environment.DOCKER_HOST
  if (host) return fromHost(host, environment)
  const context = await contextName(environment)
  if (context !== undefined && context !== 'default') return fromContext(context, environment)
  const machine = await options.machine?.()
  if (machine) return machine
  throw fail('E_API_NOWHERE', {})
}

async function fromHost(host: string, environment: EndpointOptions['environment']): Promise<Endpoint> {
  const url = checkUrl(host)
  const verify = (environment.DOCKER_TLS_VERIFY ?? '') !== ''
  if (url.startsWith('unix:') || (!verify && !environment.DOCKER_TLS)) return { url }
  const folder = environment.DOCKER_CERT_PATH ?? dockerFolder(environment)
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readPem(join(folder, name))),
  )
  return { url, tls: { ca, cert, key, verify } }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw fail(
      'E_API_CERTIFICATE',
      { path, why: errnoOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error) },
      error,
    )
  }
}

function checkUrl(host: string): string {
  if (/^unix:\/\/\/./.test(host)) return host
  const address = /^(?:(?:tcp|https?):\/\/)?([^/]+)\/?$/.exec(host)?.[1]
  const isComplete = host.includes('://') || /:\d+$/.test(host)
  if (address && isComplete && URL.canParse(`http://${address}`)) return `tcp://${address}`
  throw fail('E_API_HOST', { host })
}

async function contextName(environment: EndpointOptions['environment']): Promise<string | undefined> {
  if (environment.DOCKER_CONTEXT) return environment.DOCKER_CONTEXT
  const text = await readIfThere(join(dockerFolder(environment), 'config.json'))
  return text === undefined ? undefined : parseJson<{ currentContext?: string }>(text)?.currentContext
}

/** A context as the docker command stores it: named by the digest of its name. */
async function fromContext(name: string, environment: EndpointOptions['environment']): Promise<Endpoint> {
  const id = createHash('sha256').update(name).digest('hex')
  const contexts = join(dockerFolder(environment), 'contexts')
  const text = await readIfThere(join(contexts, 'meta', id, 'meta.json'))
  const meta = text === undefined ? undefined : parseJson<ContextMeta>(text)
  const host = meta?.Endpoints?.docker?.Host
  if (!host) throw fail('E_CONTEXT_UNKNOWN', { name })
  const tls = join(contexts, 'tls', id, 'docker')
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readIfThere(join(tls, file))),
  )
  const url = checkUrl(host)
  if (url.startsWith('unix:') || (ca ?? cert ?? key) === undefined) return { url }
  const verify = meta?.Endpoints?.docker?.SkipTLSVerify !== true
  return { url, tls: { verify, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } }
}

interface ContextMeta {
  Endpoints?: { docker?: { Host?: string; SkipTLSVerify?: boolean } }
}

function dockerFolder(environment: EndpointOptions['environment']): string {
  return environment.DOCKER_CONFIG ?? join(homedir(), '.docker')
}

function parseJson<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T
  } catch (error) {
    // Somebody else's file: one that is broken says nothing.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
