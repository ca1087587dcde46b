/**
 * Requests about a swarm and its members, from flags.
 */
import { readFile } from 'node:fs/promises'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'
import { joinAddress, splitAddress } from '../wire/address.ts'
import type { EngineApi } from './api.ts'
import { durationFlag } from './flag-values.ts'
import type { ApiInfo, ApiNode, ApiSwarm } from './types.ts'

type Role = 'worker' | 'manager'

export interface InitFlags {
  'advertise-addr'?: string
  availability?: string
  'cert-expiry'?: string
  'data-path-addr'?: string
  'data-path-port'?: number
  'default-addr-pool'?: string[]
  'default-addr-pool-mask-length'?: number
  'dispatcher-heartbeat'?: string
  'listen-addr'?: string
  'task-history-limit'?: number
}

export function initRequest(flags: InitFlags): object {
  const [expiry, beat, limit] = [
    flags['cert-expiry'],
    flags['dispatcher-heartbeat'],
    flags['task-history-limit'],
  ]
  return {
    ListenAddr: flags['listen-addr'],
    AdvertiseAddr: flags['advertise-addr'],
    Availability: flags.availability,
    DataPathAddr: flags['data-path-addr'],
    DataPathPort: flags['data-path-port'],
    DefaultAddrPool: flags['default-addr-pool'],
    SubnetSize: flags['default-addr-pool-mask-length'],
    Spec: {
      ...(limit !== undefined && { Orchestration: { TaskHistoryRetentionLimit: limit } }),
      ...(beat !== undefined && {
        Dispatcher: { HeartbeatPeriod: durationFlag('dispatcher-heartbeat', beat) },
      }),
      ...(expiry !== undefined && { CAConfig: { NodeCertExpiry: durationFlag('cert-expiry', expiry) } }),
    },
  }
}

export interface JoinFlags {
  'advertise-addr'?: string
  availability?: string
  'data-path-addr'?: string
  'listen-addr'?: string
  token?: string
  'token-file'?: string
}

/** @throws E_TOKEN_MISSING */
export async function joinRequest(manager: string, flags: JoinFlags): Promise<object> {
  const { host, port } = splitAddress(manager)
  return {
    RemoteAddrs: [joinAddress(host, port)],
    JoinToken: await tokenOf(flags),
    ListenAddr: flags['listen-addr'],
    AdvertiseAddr: flags['advertise-addr'],
    DataPathAddr: flags['data-path-addr'],
    Availability: flags.availability,
  }
}

async function tokenOf({ token, 'token-file': file }: JoinFlags): Promise<string> {
  if (token) return token
  if (!file) throw fail('E_TOKEN_MISSING', { why: 'give it with --token-file or --token' })
  try {
    return (await readFile(file === '-' ? '/dev/stdin' : file, 'utf8')).trim()
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? `there is no file ${file}` : messageOf(error)
    throw fail('E_TOKEN_MISSING', { why }, error)
  }
}

export async function readToken(api: EngineApi, role: Role): Promise<string> {
  const { JoinTokens } = await api.get<ApiSwarm>('/swarm')
  return role === 'worker' ? JoinTokens.Worker : JoinTokens.Manager
}

/** Makes a new token; the old one lets nobody in any more. */
export async function rotateToken(api: EngineApi, role: Role): Promise<void> {
  const { Version, Spec } = await api.get<ApiSwarm>('/swarm')
  const flag = role === 'worker' ? 'rotateWorkerToken' : 'rotateManagerToken'
  await api.post('/swarm/update', Spec, { version: Version.Index, [flag]: true })
}

/** What to type on a host that is to join. */
export async function joinCommand(api: EngineApi, bin: string, role: Role): Promise<string> {
  const { Swarm } = await api.get<ApiInfo>('/info')
  const node = await api.get<ApiNode>(`/nodes/${Swarm?.NodeID ?? ''}`)
  return `${bin} join --token ${await readToken(api, role)} ${node.ManagerStatus?.Addr ?? ''}`
}

export async function isManager(api: EngineApi): Promise<boolean> {
  return (await api.get<ApiInfo>('/info')).Swarm?.ControlAvailable === true
}
