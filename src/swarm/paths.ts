/**
 * Every file of a node's swarm state, under one folder that only its owner may enter.
 */
import { join } from 'node:path'

export interface SwarmPaths {
  folder: string
  /** Who this node is, where its managers are. Written last when a swarm is begun or joined: its being there is membership. */
  node: string
  /** Certificate and private key (0600), in one file so that they can't part. */
  identity: string
  /** The root certificate that this node trusts. */
  root: string
  /** What the agent was told, and how far its tasks have come. */
  agent: string
  /** Of a manager: the state of the whole swarm, with its secrets. */
  manager: string
  store: string
}

export function swarmPaths(folder: string): SwarmPaths {
  return {
    folder,
    node: join(folder, 'node.json'),
    identity: join(folder, 'identity.pem'),
    root: join(folder, 'root.crt'),
    agent: join(folder, 'agent'),
    manager: join(folder, 'manager'),
    store: join(folder, 'manager', 'swarm.db'),
  }
}
