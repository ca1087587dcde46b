import { failures } from '../../shared/errors.ts'

/** What can go wrong with networks. Texts that Docker has are Docker's: scripts and people know them. */
export const networkErrors = {
  E_NETWORK_UNKNOWN: {
    kind: 'user',
    http: 404,
    text: (p: { name: string }) => `network ${p.name} not found`,
    next: () => 'see what there is: docker network ls',
  },
  E_NETWORK_AMBIGUOUS: {
    kind: 'user',
    http: 400,
    text: (p: { name: string; count: number }) =>
      `network ${p.name} is ambiguous (${p.count} matches found on ID prefix)`,
    next: () => 'give more digits of the id, or the name',
  },
  E_NETWORK_EXISTS: {
    kind: 'user',
    http: 409,
    text: (p: { name: string }) => `network with name ${p.name} already exists`,
    next: (p: { name: string }) => `choose another name, or remove it: docker network rm ${p.name}`,
  },
  E_NETWORK_PREDEFINED: {
    kind: 'user',
    http: 403,
    text: (p: { name: string; verb: string }) =>
      `operation is not permitted on predefined ${p.name} network (${p.verb})`,
  },
  E_NETWORK_IN_USE: {
    kind: 'user',
    http: 409,
    text: (p: { name: string; containers: string[] }) =>
      `error while removing network: network ${p.name} has active endpoints (name: ${p.containers.join(', name: ')})`,
    next: (p: { name: string }) =>
      `disconnect or remove them first: docker network disconnect -f ${p.name} NAME`,
  },
  E_NETWORK_OF_SWARM: {
    kind: 'user',
    http: 403,
    text: (p: { name: string; verb: string }) =>
      `network ${p.name} belongs to the swarm: it can't be ${p.verb} on one host`,
    next: () => 'do it on a manager',
  },
  E_NETWORK_OPTION: {
    kind: 'user',
    http: 400,
    text: (p: { option: string; problem: string }) => `invalid network: ${p.option}: ${p.problem}`,
  },
  E_NETWORK_DRIVER: {
    kind: 'user',
    http: 404,
    text: (p: { driver: string }) =>
      `could not find plugin ${p.driver} in v1 plugin registry: plugin not found`,
    next: () => 'this engine has the drivers bridge, host and null; overlay networks are made on a manager',
  },
  E_SUBNET_OVERLAP: {
    kind: 'user',
    http: 403,
    text: (p: { subnet: string; other: string }) =>
      `invalid pool request: Pool overlaps with other one on this address space: ${p.subnet} with ${p.other}`,
    next: () => 'choose another subnet, or none at all',
  },
  E_NO_SUBNET: {
    kind: 'outside',
    http: 500,
    text: () => 'all predefined address pools have been fully subnetted',
    next: () => 'remove networks that nobody uses (docker network prune), or name a subnet',
  },
  E_NO_ADDRESS: {
    kind: 'outside',
    http: 500,
    text: (p: { network: string; subnet: string }) =>
      `no available IPv4 addresses on this network's address pools: ${p.network} (${p.subnet})`,
    next: () => 'remove containers from it, or make a network with a larger subnet',
  },
  E_ADDRESS_TAKEN: {
    kind: 'user',
    http: 403,
    text: (p: { address: string }) => `Address already in use: ${p.address}`,
  },
  E_ADDRESS_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { address: string; problem: string }) => `invalid address ${p.address}: ${p.problem}`,
  },
  E_ENDPOINT_EXISTS: {
    kind: 'user',
    http: 403,
    text: (p: { container: string; network: string }) =>
      `endpoint with name ${p.container} already exists in network ${p.network}`,
  },
  E_ENDPOINT_UNKNOWN: {
    kind: 'user',
    http: 404,
    text: (p: { container: string; network: string }) =>
      `container ${p.container} is not connected to network ${p.network}`,
  },
  E_NETWORK_MODE: {
    kind: 'user',
    http: 400,
    text: (p: { problem: string }) => `conflicting options: ${p.problem}`,
  },
  E_PORT_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { port: string; problem: string }) => `invalid port specification: ${p.port}: ${p.problem}`,
  },
  E_PORT_TAKEN: {
    kind: 'user',
    http: 409,
    text: (p: { address: string; port: number | string; container: string }) =>
      `driver failed programming external connectivity on endpoint ${p.container}: Bind for ${p.address}:${p.port} failed: port is already allocated`,
    next: (p: { port: number | string }) => `see who has it: ss -lntup | grep ${p.port}`,
  },
  E_HOST_ADDRESS: {
    kind: 'user',
    http: 400,
    text: (p: { address: string; container: string }) =>
      `driver failed programming external connectivity on endpoint ${p.container}: cannot assign requested address ${p.address}`,
    next: () => 'publish on an address that this host has: ip -br address',
  },
} as const

export const fail = failures(networkErrors)
