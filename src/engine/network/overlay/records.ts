/** A network of the swarm as this host's devices, rules and records see it. Pure. */
import type { NetworkRules } from '../host-rules.ts'
import { parseSubnet } from '../ipv4.ts'
import { macFromText, type Names } from '../names.ts'
import { type NetworkRecord, recordVersion } from '../records.ts'
import type { OverlayPlan } from './devices.ts'
import { dataPathPortOf, type SwarmNetwork } from './state.ts'

/** Docker's zero time: when it was made only a manager knows. */
const unknownTime = '0001-01-01T00:00:00Z'

export function overlayRecord(network: SwarmNetwork, bridge: string): NetworkRecord {
  const { id, name, internal, ingress, options, labels, subnet, gateway } = network
  return {
    version: recordVersion,
    ...{ id, name, internal, ingress, options, labels, bridge },
    driver: 'overlay',
    scope: 'swarm',
    created: unknownTime,
    attachable: false,
    ipam: { driver: 'default', options: {}, subnet, gateway },
  }
}

/**
 * @param seed differs from host to host: where the state names no hardware address, the bridge gets one of it
 * @throws RangeError where the network's subnet is none
 */
export function overlayPlan(network: SwarmNetwork, names: Names, mtu: number, seed: string): OverlayPlan {
  const { id, subnet, gateway, internal, node, vni } = network
  const prefixLength = parseSubnet(subnet)?.prefixLength
  if (prefixLength === undefined) throw new RangeError(`${subnet} is no subnet`)
  return {
    vni,
    port: dataPathPortOf(network),
    mtu,
    vxlan: names.vxlan(vni),
    bridge: {
      name: names.overlayBridge(vni),
      mac: node?.macAddress.toLowerCase() ?? macFromText(`${seed}/${id}`),
      // The first is the one that this host itself asks from: tasks on other hosts answer only to its own.
      addresses: [...(node ? [node.address] : []), ...(internal ? [] : [`${gateway}/${prefixLength}`])],
    },
  }
}

export function overlayNetworkRules({ subnet, internal, node }: SwarmNetwork, bridge: string): NetworkRules {
  const nodeAddress = node?.address.replace(/\/.*/, '')
  return { bridge, subnet, internal, masquerade: true, ...(nodeAddress && { nodeAddress }) }
}
