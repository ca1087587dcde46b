/**
 * What fails on managers and nodes. Where a Docker client shows or looks for a sentence of dockerd's, it is
 * that sentence.
 */
import type { FailureTable } from '../shared/errors.ts'

export const serverFailures = {
  E_STORE_CLOSED: {
    kind: 'bug',
    text: () => 'the store is closed',
  },
  E_STORE_FAILED: {
    kind: 'outside',
    text: (p: { why: string }) => `the store could not keep a change: ${p.why}`,
    next: () => 'look at the free space and the health of the disk that holds the state directory',
  },
  E_STORE_EMPTY: {
    kind: 'outside',
    text: () => "the store does not have the swarm's own row",
    next: () => 'restore the state directory, or leave the swarm on this node and begin anew',
  },
  E_STORE_BUSY: {
    kind: 'outside',
    http: 503,
    retryable: true,
    text: () => 'the swarm changes too quickly: the change found its objects changed by others each time',
    next: () => 'try again',
  },
  E_STORE_COMPACTED: {
    kind: 'bug',
    text: (p: { revision: number; compacted: number }) =>
      `revision ${p.revision} is gone: the store was compacted up to ${p.compacted}`,
  },
  E_TOKEN_MALFORMED: {
    kind: 'user',
    http: 400,
    text: () => 'invalid join token: it must have the form SWMTKN-1-DIGEST-SECRET',
    next: () => 'ask a manager for it: tsswarm join-token worker',
  },
  E_REQUEST_MALFORMED: {
    kind: 'bug',
    http: 400,
    text: (p: { why: string }) => `the certificate request is malformed: ${p.why}`,
  },
  E_LISTEN: {
    kind: 'user',
    http: 400,
    text: (p: { why: string }) => `the swarm's port can't be opened: ${p.why}`,
    next: () => 'free the port, or choose another one with --listen-addr',
  },
  E_MANAGER_UNREACHABLE: {
    kind: 'outside',
    http: 503,
    retryable: true,
    text: (p: { manager: string; why: string }) => `no swarm manager answers at ${p.manager}: ${p.why}`,
    next: () => 'check the address, and that TCP port 2377 of the manager can be reached from this host',
  },
  E_MANAGER_REFUSED: {
    kind: 'user',
    http: 400,
    text: (p: { message: string }) => `the manager refuses: ${p.message}`,
  },
  E_VNI_NONE: {
    kind: 'user',
    http: 409,
    text: () => 'every number for an overlay network is in use',
  },
  E_SUBNET_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { subnet: string; why: string }) => `invalid subnet ${p.subnet}: ${p.why}`,
  },
  E_SUBNET_TAKEN: {
    kind: 'user',
    http: 409,
    text: (p: { subnet: string; network: string }) =>
      `subnet ${p.subnet} overlaps with that of network ${p.network}`,
    next: () => 'choose another subnet, or leave it to the swarm',
  },
  E_POOL_FULL: {
    kind: 'user',
    http: 409,
    text: (p: { pools: string; prefix: number }) => `no free /${p.prefix} subnet is left in ${p.pools}`,
    next: () => 'remove networks that are not used, or name a subnet of your own',
  },
  E_PORT_TAKEN: {
    kind: 'user',
    http: 400,
    text: (p: { port: number; service: string; id: string }) =>
      `port '${p.port}' is already in use by service '${p.service}' (${p.id}) as an ingress port`,
  },
  E_PORTS_NONE: {
    kind: 'user',
    http: 409,
    text: (p: { first: number; last: number }) =>
      `all ports from ${p.first} to ${p.last} are published already`,
  },
  E_ADDRESS_NONE: {
    kind: 'user',
    http: 409,
    text: (p: { network: string; subnet: string }) =>
      `no address is free on network ${p.network} (${p.subnet})`,
    next: () => 'remove services from it, or make a network with a larger subnet',
  },
  E_CONSTRAINT_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { constraint: string; why: string }) =>
      `invalid placement constraint '${p.constraint}': ${p.why}`,
    next: () => 'constraints look like node.labels.zone==north or node.role!=manager',
  },
  E_NODE_REMOVED: {
    kind: 'user',
    http: 409,
    text: () => 'this node was removed from the swarm',
    next: () => 'leave the swarm on it, then join again: tsswarm leave --force',
  },
  E_STRANGER: {
    kind: 'user',
    http: 403,
    text: () => 'no certificate of this swarm was shown',
  },
  E_TOKEN_WRONG: {
    kind: 'user',
    http: 400,
    text: () => 'the join token is not valid for this swarm',
    next: () => 'ask a manager for the token of today: tsswarm join-token worker',
  },
  E_SECOND_MANAGER: {
    kind: 'user',
    http: 501,
    text: () => 'a second manager is not supported yet',
    next: () => 'join with the worker token: tsswarm join-token worker',
  },
  E_WIRE_VERSION: {
    kind: 'user',
    http: 400,
    text: (p: { version: number; known: number }) =>
      `the node speaks version ${p.version} of the swarm's protocol, this manager knows ${p.known}`,
    next: () => 'upgrade the older of the two',
  },
  E_MESSAGE_INVALID: {
    kind: 'bug',
    http: 400,
    text: (p: { field: string; problem: string }) => `malformed message: ${p.field} ${p.problem}`,
  },
  E_STATE_UNREADABLE: {
    kind: 'outside',
    http: 503,
    text: (p: { path: string; why: string }) => `${p.path} can't be read: ${p.why}`,
    next: () => 'restore the file, or give up this place in the swarm: tsswarm leave --force',
  },
  E_ADDRESS_UNKNOWN: {
    kind: 'user',
    http: 400,
    text: (p: { asked: string }) => `${p.asked} is neither an IP address nor an interface of this host`,
  },
  E_ADDRESS_PORT: {
    kind: 'user',
    http: 400,
    text: (p: { address: string; port: string }) =>
      `invalid address '${p.address}': '${p.port}' is no port number`,
  },
  E_ADDRESS_UNCLEAR: {
    kind: 'user',
    http: 400,
    text: (p: { list: string }) =>
      `could not choose an IP address to advertise since this system has multiple addresses (${p.list || 'none'})`,
    next: () => 'say which one others should use: --advertise-addr',
  },
  E_SWARM_INACTIVE: {
    kind: 'user',
    http: 503,
    text: () =>
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  },
  E_SWARM_NONE: {
    kind: 'user',
    http: 503,
    text: () => 'This node is not part of a swarm',
  },
  E_SWARM_WORKER: {
    kind: 'user',
    http: 503,
    text: () =>
      "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state. Please run this command on a manager node or promote the current node to a manager.",
  },
  E_SWARM_PREPARING: {
    kind: 'outside',
    http: 503,
    retryable: true,
    text: () =>
      'This node is not a swarm manager. Manager is being prepared or has trouble connecting to the cluster.',
  },
  E_SWARM_BROKEN: {
    kind: 'outside',
    http: 503,
    text: (p: { why: string }) => `This node's place in the swarm can't be taken up: ${p.why}`,
    next: () => "look at the daemon's log, or give up this place in the swarm: tsswarm leave --force",
  },
  E_SWARM_ACTIVE: {
    kind: 'user',
    http: 503,
    text: () =>
      'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.',
  },
  E_LEAVE_MANAGER: {
    kind: 'user',
    http: 503,
    text: () =>
      'You are attempting to leave the swarm on a node that is participating as a manager. Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ',
  },
  E_TOKEN_DIGEST: {
    kind: 'user',
    http: 400,
    text: (p: { manager: string }) =>
      `the manager at ${p.manager} does not have the root certificate that the join token names`,
    next: () => 'check the address; the token belongs to another swarm, or somebody stands between',
  },
  E_JOIN_SLOW: {
    kind: 'outside',
    http: 503,
    text: (p: { why: string }) =>
      `Timeout was reached before node joined. The attempt to join the swarm will continue in the background.${p.why && ` (${p.why})`}`,
    next: () => 'watch "tsswarm node ls" on a manager',
  },
  E_FILTER_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { filter: string }) => `invalid filter '${p.filter}'`,
  },
  E_OBJECT_UNKNOWN: {
    kind: 'user',
    http: 404,
    text: (p: { kind: string; ref: string }) => `${p.kind} ${p.ref} not found`,
  },
  E_OBJECT_AMBIGUOUS: {
    kind: 'user',
    http: 400,
    text: (p: { kind: string; ref: string; count: number }) =>
      `${p.kind} ${p.ref} is ambiguous (${p.count} matches found)`,
  },
  E_OUT_OF_SEQUENCE: {
    kind: 'user',
    http: 409,
    text: () => 'update out of sequence',
    next: () => 'somebody else changed it: read it again, then change it',
  },
  E_SPEC_INVALID: {
    kind: 'user',
    http: 400,
    text: (p: { why: string }) => p.why,
  },
  E_UNSUPPORTED: {
    kind: 'user',
    http: 501,
    text: (p: { what: string }) => `${p.what}: not supported yet`,
  },
  E_NAME_TAKEN: {
    kind: 'user',
    http: 409,
    text: (p: { kind: string; name: string }) =>
      `name conflicts with an existing object: ${p.kind} ${p.name} already exists`,
  },
  E_NETWORK_TAKEN: {
    kind: 'user',
    http: 409,
    text: (p: { name: string }) => `network with name ${p.name} already exists`,
  },
  E_NETWORK_BUSY: {
    kind: 'user',
    http: 403,
    text: (p: { network: string; service: string }) =>
      `network ${p.network} is in use by service ${p.service}`,
  },
  E_NETWORK_INGRESS: {
    kind: 'user',
    http: 403,
    text: () => 'the ingress network carries the published ports of the swarm and stays',
  },
  E_NODE_UP: {
    kind: 'user',
    http: 400,
    text: (p: { id: string }) => `node ${p.id} is not down and can't be removed`,
    next: () => 'leave the swarm on it first, or use --force',
  },
  E_NODE_MANAGER: {
    kind: 'user',
    http: 400,
    text: (p: { id: string }) =>
      `node ${p.id} is a cluster manager. It must be demoted to worker before removal`,
  },
  E_LAST_MANAGER: {
    kind: 'user',
    http: 400,
    text: () => 'attempting to demote the last manager of the swarm',
  },
  E_NOT_LOCKED: {
    kind: 'user',
    http: 409,
    text: () => 'swarm is not locked',
  },
} as const satisfies FailureTable
