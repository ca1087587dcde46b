import type { Driver, Labels, Meta } from './meta.ts'

/** The swarm's settings, as users see and change them. Durations are nanoseconds. */
export interface SwarmSpec {
  Name: string
  Labels: Labels
  Orchestration?: { TaskHistoryRetentionLimit?: number }
  Raft?: {
    SnapshotInterval?: number
    KeepOldSnapshots?: number
    LogEntriesForSlowFollowers?: number
    ElectionTick?: number
    HeartbeatTick?: number
  }
  Dispatcher?: { HeartbeatPeriod?: number }
  CAConfig?: {
    NodeCertExpiry?: number
    ExternalCAs?: object[]
    SigningCACert?: string
    SigningCAKey?: string
    ForceRotate?: number
  }
  EncryptionConfig?: { AutoLockManagers?: boolean }
  TaskDefaults?: { LogDriver?: Driver }
}

export interface Cluster extends Meta {
  /** The swarm's id as the API shows it; ID is the row's, of which there is one. */
  ClusterID: string
  Spec: SwarmSpec
  /** PEM of the root certificate: what tokens name by its digest and nodes trust. */
  RootCert: string
  DataPathPort: number
  DefaultAddrPool: string[]
  SubnetSize: number
}

/** Secrets of the cluster, in a row of their own that no API object is made from. */
export interface Secrets extends Meta {
  /** PKCS#8, PEM. */
  RootKey: string
  /** The secret part of each role's join token. */
  WorkerToken: string
  ManagerToken: string
}

/** VXLAN's own port number. */
export const defaultDataPathPort = 4789

/** Id of both rows: there is one cluster in a store. */
export const clusterKey = 'cluster'
