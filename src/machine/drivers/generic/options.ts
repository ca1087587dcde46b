import type { OptionTable } from '../driver.ts'

export const genericOptions: OptionTable = {
  'ip-address': {
    summary: 'Address or name of the host (required).',
    type: 'string',
    env: 'GENERIC_IP_ADDRESS',
    required: true,
  },
  'ssh-user': { summary: 'User to log in as.', type: 'string', env: 'GENERIC_SSH_USER', default: 'root' },
  'ssh-key': {
    summary: "Private key file; without it the agent's keys, or ~/.ssh/id_ed25519 or id_rsa.",
    type: 'string',
    env: 'GENERIC_SSH_KEY',
  },
  'ssh-port': { summary: 'Port of the SSH server.', type: 'integer', env: 'GENERIC_SSH_PORT', default: 22 },
  'ssh-host-key': {
    summary: 'The host key, as "ssh-ed25519 AAAA..."; without it known_hosts, or what the host shows first.',
    type: 'string',
    env: 'GENERIC_SSH_HOST_KEY',
  },
  'engine-port': {
    summary: 'Port for the engine to listen on.',
    type: 'integer',
    env: 'GENERIC_ENGINE_PORT',
    default: 2376,
  },
}
