/**
 * The swarm itself: what it is, tokens, settings.
 */
import { newTokenSecret } from '../ca/token.ts'
import { fillSpec } from '../cluster.ts'
import { fail } from '../errors.ts'
import type { Manager } from '../manager.ts'
import type { SwarmNode } from '../node.ts'
import { clusterKey, type SwarmSpec } from '../store/objects/cluster.ts'
import { assertVersion } from './find.ts'
import { presentCluster, presentSwarm } from './present.ts'

export function inspectSwarm(manager: Manager) {
  const { replica } = manager.database
  return presentSwarm(replica.get('cluster', clusterKey)!, replica.get('secrets', clusterKey)!)
}

export interface SwarmUpdate {
  version: number
  spec: Partial<SwarmSpec>
  rotateWorkerToken: boolean
  rotateManagerToken: boolean
}

/** @throws E_OUT_OF_SEQUENCE, E_UNSUPPORTED */
export async function updateSwarm(manager: Manager, update: SwarmUpdate): Promise<void> {
  const { spec } = update
  if (spec.EncryptionConfig?.AutoLockManagers) throw fail('E_UNSUPPORTED', { what: 'autolock' })
  await manager.database.transact((draft) => {
    const cluster = draft.get('cluster', clusterKey)!
    assertVersion(cluster, update.version)
    const rotates =
      spec.CAConfig?.ForceRotate && spec.CAConfig.ForceRotate !== cluster.Spec.CAConfig?.ForceRotate
    if (rotates || spec.CAConfig?.SigningCACert)
      throw fail('E_UNSUPPORTED', { what: 'rotation of the root certificate' })
    draft.put('cluster', { ...cluster, Spec: fillSpec(spec) })
    if (!update.rotateWorkerToken && !update.rotateManagerToken) return
    const secrets = draft.get('secrets', clusterKey)!
    draft.put('secrets', {
      ...secrets,
      ...(update.rotateWorkerToken && { WorkerToken: newTokenSecret() }),
      ...(update.rotateManagerToken && { ManagerToken: newTokenSecret() }),
    })
  })
}

/** The part "Swarm" of GET /info. */
export function swarmInfo(node: SwarmNode) {
  const { membership, state, error } = node
  const base = {
    NodeID: membership?.nodeId ?? '',
    NodeAddr: membership ? node.address : '',
    LocalNodeState: state,
    ControlAvailable: node.isManager,
    Error: state === 'active' ? '' : error,
    RemoteManagers: null as { NodeID: string; Addr: string }[] | null,
  }
  if (!membership) return base
  if (!node.isManager)
    return { ...base, RemoteManagers: membership.managers.map((Addr) => ({ NodeID: '', Addr })) }
  const { replica } = node.manager.database
  const managers = [...replica.all('node')].filter(({ Spec }) => Spec.Role === 'manager')
  return {
    ...base,
    RemoteManagers: managers.map(({ ID, ManagerStatus }) => ({
      NodeID: ID,
      Addr: ManagerStatus?.Addr ?? '',
    })),
    Nodes: replica.count('node'),
    Managers: managers.length,
    Cluster: presentCluster(replica.get('cluster', clusterKey)!),
  }
}

/** The header "Swarm" of GET /_ping. */
export function swarmHeader(node: SwarmNode): string {
  const { state } = node
  return state === 'active' ? `active/${node.isManager ? 'manager' : 'worker'}` : state
}
