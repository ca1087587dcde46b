/**
 * Opening an SSH connection: with a limit, with the host's key checked before anything is said, and with the
 * cause named when it fails.
 */
import { connect } from 'node:net'
import type { Client, ConnectConfig } from 'ssh2'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import { SshConnection } from './connection.ts'
import { bareKey, fingerprint } from './keys.ts'

export interface SshTarget {
  host: string
  port: number
  user: string
  /** The key to log in with, in OpenSSH or PEM form. */
  privateKey?: string
  /** Where `privateKey` came from, or "the agent's keys": for messages. */
  credential: string
  /** Socket of an agent that has keys. */
  agent?: string
  /** Public key lines; the host must show one of them. Empty: accept what it shows, and report it. */
  hostKeys: readonly string[]
}

export interface ConnectOptions {
  /** For the whole of connecting and logging in. */
  timeoutMs: number
  signal?: AbortSignal
}

/**
 * AES-GCM runs in OpenSSL; ssh2's ChaCha20 would run in JavaScript, at a tenth of the speed.
 */
const algorithms = {
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes256-ctr'],
} satisfies ConnectConfig['algorithms']

/**
 * Connects and logs in.
 * @throws E_SSH_REFUSED, E_SSH_UNREACHABLE, E_SSH_NAME, E_SSH_PROTOCOL, E_SSH_AUTH, E_SSH_HOST_KEY, E_SSH_KEY
 */
export async function connectSsh(target: SshTarget, options: ConnectOptions): Promise<SshConnection> {
  options.signal?.throwIfAborted()
  const { Client: SshClient } = (await import('ssh2')).default
  const client = new SshClient()
  let shown: Buffer | undefined
  let refusedKey = false
  const socket = connect({ host: target.host, port: target.port, noDelay: true })
  const config: ConnectConfig = {
    // Our own socket: with ssh2's, each of the login's small packets would wait 40 ms for the other side's word.
    sock: socket,
    username: target.user,
    readyTimeout: options.timeoutMs,
    keepaliveInterval: 5_000,
    keepaliveCountMax: 3,
    agent: target.privateKey ? undefined : target.agent,
    privateKey: target.privateKey,
    authHandler: [target.privateKey ? 'publickey' : 'agent'],
    algorithms: { ...algorithms, ...hostKeyAlgorithms(target.hostKeys) },
    hostVerifier: (key: Buffer) => {
      shown = key
      refusedKey = !isExpected(key, target.hostKeys)
      return !refusedKey
    },
  }
  try {
    await handshake(client, config, options)
  } catch (error) {
    client.destroy()
    socket.destroy()
    if (options.signal?.aborted) throw options.signal.reason
    if (refusedKey) {
      const { host, hostKeys } = target
      const expected = hostKeys.map((line) => fingerprint(line)).join(' or ')
      throw fail('E_SSH_HOST_KEY', { host, expected, got: fingerprint(shown!) }, error)
    }
    throw nameCause(error as SshError, target)
  }
  return new SshConnection(client, target, publicLine(shown!))
}

/** What ssh2's errors carry beside the message: the stage at which it failed. */
type SshError = Error & { level?: string; code?: string }

function handshake(
  client: Client,
  config: ConnectConfig,
  { timeoutMs, signal }: ConnectOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    // ssh2's own limit begins with the handshake; a host that swallows packets never gets there.
    const timer = setTimeout(
      () => reject(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })),
      timeoutMs,
    )
    const stop = () => reject(signal!.reason)
    const settle = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
    }
    signal?.addEventListener('abort', stop, { once: true })
    client
      .once('ready', () => {
        settle()
        resolve()
      })
      .once('close', () => {
        settle()
        reject(Object.assign(new Error('the connection was closed'), { level: 'handshake' }))
      })
      .on('error', (error) => {
        settle()
        reject(error)
      })
    try {
      client.connect(config)
    } catch (error) {
      settle()
      reject(Object.assign(error as Error, { level: 'key' }))
    }
  })
}

function nameCause(error: SshError, target: SshTarget): Error {
  const { host, port, user, credential } = target
  const why = messageOf(error)
  if (error.level === 'key') return fail('E_SSH_KEY', { path: credential, why: keyTrouble(why) }, error)
  if (error.level === 'client-authentication') {
    return fail('E_SSH_AUTH', { host, user, offered: credential }, error)
  }
  switch (errnoOf(error)) {
    case 'ECONNREFUSED':
      return fail('E_SSH_REFUSED', { host, port }, error)
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
      return fail('E_SSH_UNREACHABLE', { host, port, why }, error)
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail('E_SSH_NAME', { host }, error)
    default:
      return fail('E_SSH_PROTOCOL', { host, port, why }, error)
  }
}

function keyTrouble(why: string): string {
  if (/passphrase|encrypted/i.test(why)) return 'it is protected by a passphrase; load it into an SSH agent'
  return 'it is no private key that can be read'
}

/** Asks for the kind of key that is known, or the host may show another of its keys. */
function hostKeyAlgorithms(hostKeys: readonly string[]): ConnectConfig['algorithms'] {
  const types = new Set(hostKeys.map((line) => line.split(' ')[0]!))
  if (types.size === 0) return {}
  const names = [...types].flatMap((type) => (type === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [type]))
  return { serverHostKey: names as NonNullable<ConnectConfig['algorithms']>['serverHostKey'] }
}

function isExpected(key: Buffer, hostKeys: readonly string[]): boolean {
  return hostKeys.length === 0 || hostKeys.some((line) => bareKey(line) === publicLine(key))
}

/** "ssh-ed25519 AAAA..." of a key as it is sent: its type stands in its first field. */
function publicLine(key: Buffer): string {
  const type = key.subarray(4, 4 + key.readUInt32BE(0)).toString('latin1')
  return `${type} ${key.toString('base64')}`
}
