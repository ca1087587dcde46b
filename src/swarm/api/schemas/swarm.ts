/** Types of the bodies of /swarm, /nodes and, for networks of the swarm, /networks/create. */
import { boolean, list, map, object, string } from '../../../shared/schema.ts'
import type { SwarmSpec } from '../../store/objects/cluster.ts'
import type { Availability, NodeSpec } from '../../store/objects/node.ts'
import type { NetworkRequest } from '../networks.ts'
import { bodyReader, choice, natural } from './check.ts'

export interface InitBody {
  ListenAddr?: string
  AdvertiseAddr?: string
  DataPathAddr?: string
  DataPathPort?: number
  DefaultAddrPool?: string[]
  SubnetSize?: number
  ForceNewCluster?: boolean
  AutoLockManagers?: boolean
  Availability?: Availability | ''
  Spec?: Partial<SwarmSpec>
}

export interface JoinBody {
  ListenAddr?: string
  AdvertiseAddr?: string
  DataPathAddr?: string
  RemoteAddrs?: string[]
  JoinToken?: string
  Availability?: Availability | ''
}

const availability = choice('active', 'pause', 'drain')
const addresses = { ListenAddr: string, AdvertiseAddr: string, DataPathAddr: string }

const swarmSpec = object({
  Name: string,
  Labels: map(string),
  Orchestration: object({ TaskHistoryRetentionLimit: natural }),
  Raft: object({
    SnapshotInterval: natural,
    KeepOldSnapshots: natural,
    LogEntriesForSlowFollowers: natural,
    ElectionTick: natural,
    HeartbeatTick: natural,
  }),
  Dispatcher: object({ HeartbeatPeriod: natural }),
  CAConfig: object({
    NodeCertExpiry: natural,
    ExternalCAs: list(object({ Protocol: string, URL: string, Options: map(string), CACert: string })),
    SigningCACert: string,
    SigningCAKey: string,
    ForceRotate: natural,
  }),
  EncryptionConfig: object({ AutoLockManagers: boolean }),
  TaskDefaults: object({ LogDriver: object({ Name: string, Options: map(string) }) }),
})

/** @throws E_SPEC_INVALID */
export const readSwarmSpec = bodyReader<Partial<SwarmSpec>>(swarmSpec)

/** A subnet of fewer than eight addresses has none left for tasks. @throws E_SPEC_INVALID */
export const readInit = bodyReader<InitBody>(
  object({
    ...addresses,
    DataPathPort: { type: 'integer', minimum: 0, maximum: 65535 },
    DefaultAddrPool: list(string),
    SubnetSize: { type: 'integer', minimum: 0, maximum: 29 },
    ForceNewCluster: boolean,
    AutoLockManagers: boolean,
    Availability: availability,
    Spec: swarmSpec,
  }),
)

/** @throws E_SPEC_INVALID */
export const readJoin = bodyReader<JoinBody>(
  object({ ...addresses, RemoteAddrs: list(string), JoinToken: string, Availability: availability }),
)

/** @throws E_SPEC_INVALID */
export const readNodeSpec = bodyReader<Partial<NodeSpec>>(
  object({ Name: string, Labels: map(string), Role: string, Availability: string }),
)

/** @throws E_SPEC_INVALID */
export const readNetwork = bodyReader<NetworkRequest>(
  object({
    Name: string,
    Driver: string,
    Scope: string,
    Internal: boolean,
    Attachable: boolean,
    Ingress: boolean,
    EnableIPv6: boolean,
    Options: map(string),
    Labels: map(string),
    IPAM: object({
      Driver: string,
      Options: map(string),
      Config: list(
        object({ Subnet: string, Gateway: string, IPRange: string, AuxiliaryAddresses: map(string) }),
      ),
    }),
  }),
)
