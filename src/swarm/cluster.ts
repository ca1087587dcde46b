/**
 * A new swarm's first rows.
 */
import type { KeyPair } from '../shared/certificates.ts'
import { parseBlock } from './allocator/ip.ts'
import { takeSubnet, takeVni } from './allocator/networks.ts'
import { newTokenSecret } from './ca/token.ts'
import { fail } from './errors.ts'
import type { Draft } from './store/draft.ts'
import { clusterKey, defaultDataPathPort, type SwarmSpec } from './store/objects/cluster.ts'
import { claims } from './store/objects/kinds.ts'

export interface ClusterOptions {
  clusterId: string
  root: KeyPair
  spec: Partial<SwarmSpec>
  defaultAddrPool?: string[]
  subnetSize?: number
  dataPathPort?: number
}

export const defaultAddrPool = ['10.0.0.0/8']
const defaultSubnetSize = 24
/** 4094 addresses: with Swarm's /24 a swarm has no more than some 250 tasks behind published ports. */
const ingressPrefix = 20

/** Docker's bounds. @throws E_SPEC_INVALID */
export function checkDataPathPort(port: number | undefined): void {
  if (!port || (Number.isSafeInteger(port) && port >= 1024 && port <= 49151)) return
  throw fail('E_SPEC_INVALID', { why: `Datapath port number is not in valid range (1024-49151) : ${port}` })
}

/** @throws E_SPEC_INVALID, E_SUBNET_INVALID, E_POOL_FULL */
export function draftCluster(draft: Draft, options: ClusterOptions): void {
  const pools = options.defaultAddrPool?.length ? options.defaultAddrPool : defaultAddrPool
  for (const pool of pools) {
    if (!parseBlock(pool))
      throw fail('E_SUBNET_INVALID', { subnet: pool, why: 'a pool is a block such as 10.0.0.0/8' })
  }
  draft.put('cluster', {
    ID: clusterKey,
    ClusterID: options.clusterId,
    Spec: fillSpec(options.spec),
    RootCert: options.root.cert,
    DataPathPort: options.dataPathPort || defaultDataPathPort,
    DefaultAddrPool: pools,
    SubnetSize: options.subnetSize || defaultSubnetSize,
  })
  draft.put('secrets', {
    ID: clusterKey,
    RootKey: options.root.key,
    WorkerToken: newTokenSecret(),
    ManagerToken: newTokenSecret(),
  })
}

/** The network that carries published ports. @throws E_POOL_FULL */
export function draftIngress(draft: Draft, id: string): void {
  const cluster = draft.get('cluster', clusterKey)!
  const smallest = Math.min(...cluster.DefaultAddrPool.map((pool) => parseBlock(pool)!.prefix))
  const prefix = smallest <= ingressPrefix ? Math.min(ingressPrefix, cluster.SubnetSize) : cluster.SubnetSize
  draft.claim(claims.networkName('ingress'), id)
  draft.put('network', {
    ID: id,
    Name: 'ingress',
    Driver: 'overlay',
    Labels: {},
    Options: {},
    Internal: false,
    Attachable: false,
    Ingress: true,
    EnableIPv6: false,
    IPAM: takeSubnet(draft, cluster, prefix, id),
    Vni: takeVni(draft, id),
  })
}

/** Nanoseconds. Swarm's own least life of a certificate: a node renews at half of it. */
const leastCertExpiry = 3_600e9
/** Nanoseconds. With quicker beats a busy host is taken for dead, with slower ones a dead host for busy. */
const [leastBeat, longestBeat] = [0.1e9, 3_600e9]

/**
 * Swarm's defaults where nothing was said, but for the beat: see dispatcher/timing.ts.
 * @throws E_SPEC_INVALID
 */
export function fillSpec(spec: Partial<SwarmSpec>): SwarmSpec {
  const { NodeCertExpiry } = spec.CAConfig ?? {}
  if (NodeCertExpiry && NodeCertExpiry < leastCertExpiry)
    throw fail('E_SPEC_INVALID', { why: 'minimum certificate expiry time is: 1h0m0s' })
  const { HeartbeatPeriod } = spec.Dispatcher ?? {}
  if (HeartbeatPeriod && (HeartbeatPeriod < leastBeat || HeartbeatPeriod > longestBeat)) {
    const why = `invalid heartbeat period ${HeartbeatPeriod / 1e9}s: it must be from ${leastBeat / 1e9}s to ${longestBeat / 1e9}s`
    throw fail('E_SPEC_INVALID', { why })
  }
  return {
    ...spec,
    Name: 'default',
    Labels: spec.Labels ?? {},
    Orchestration: { TaskHistoryRetentionLimit: 5, ...spec.Orchestration },
    Dispatcher: { HeartbeatPeriod: 1_000_000_000, ...withoutZero(spec.Dispatcher) },
    CAConfig: { NodeCertExpiry: 7_776_000_000_000_000, ...withoutZero(spec.CAConfig) },
    EncryptionConfig: { AutoLockManagers: false },
  }
}

/** Clients written in Go send 0 for "not said". */
function withoutZero<T extends object>(values: T | undefined): Partial<T> {
  return Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== 0)) as Partial<T>
}
