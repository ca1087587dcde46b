import type { KeyPair } from '../shared/certificates.ts'
import { draftCluster, draftIngress } from './cluster.ts'
import type { Context } from './context.ts'
import { draftNode } from './dispatcher/nodes.ts'
import { Database } from './store/database.ts'
import type { SwarmSpec } from './store/objects/cluster.ts'
import type { Availability } from './store/objects/node.ts'
import type { Store } from './store/store.ts'

export interface FirstState {
  nodeId: string
  clusterId: string
  root: KeyPair
  spec?: Partial<SwarmSpec>
  defaultAddrPool?: string[]
  subnetSize?: number
  dataPathPort?: number
  availability?: Availability
}

/** The rows of a new cluster with one manager. The store is closed afterwards. @throws E_SUBNET_INVALID, E_POOL_FULL */
export async function writeFirstState(store: Store, context: Context, first: FirstState): Promise<void> {
  const { nodeId, availability, spec = {}, ...options } = first
  const database = await Database.open(store, context.clock)
  try {
    await database.transact((draft) => {
      draftCluster(draft, { ...options, spec })
      draftNode(draft, nodeId, 'manager', availability)
    })
    await database.transact((draft) => draftIngress(draft, context.newId()))
  } finally {
    await database.close()
  }
}
