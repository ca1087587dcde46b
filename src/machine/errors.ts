/**
 * Everything that making and keeping machines can fail with. docs/errors.md lists the same codes.
 */
import { failures } from '../shared/errors.ts'

/** Exit code of a command line that can't be right. */
const usage = 2
/** Exit code of a refusal before anything was made, as docker-machine has it. */
const precheck = 3

export const machineFailures = {
  E_MACHINE_NAME: {
    kind: 'user',
    exit: usage,
    text: (p: { name: string }) => `"${p.name}" can't be a machine's name`,
    next: () => 'Use up to 63 letters, digits, dots and dashes, with a letter or digit first.',
  },
  E_MACHINE_EXISTS: {
    kind: 'user',
    text: (p: { name: string }) => `machine "${p.name}" exists already`,
    next: (p: { name: string }) => `Take another name, or remove it first: tsmachine rm ${p.name}`,
  },
  E_MACHINE_UNKNOWN: {
    kind: 'user',
    text: (p: { name: string }) => `no machine "${p.name}"`,
    next: () => 'List the machines: tsmachine ls',
  },
  E_MACHINE_DIFFERS: {
    kind: 'user',
    text: (p: { name: string; what: string }) =>
      `machine "${p.name}" was begun with other options (${p.what}) and is not complete`,
    next: (p: { name: string }) =>
      `Repeat the first command to complete it, or take it away: tsmachine rm ${p.name}`,
  },
  E_MACHINE_INCOMPLETE: {
    kind: 'user',
    text: (p: { name: string }) => `machine "${p.name}" is not complete: its creation was interrupted`,
    next: (p: { name: string }) =>
      `Repeat the create command to complete it, or take it away: tsmachine rm ${p.name}`,
  },
  E_MACHINE_BUSY: {
    kind: 'user',
    retryable: true,
    text: (p: { name: string }) => `another tsmachine is working on ${p.name}`,
    next: () => 'Wait until it is done; the lock of one that was killed is free after five seconds.',
  },
  E_MACHINE_STATE: {
    kind: 'user',
    text: (p: { name: string; state: string; wanted: string }) =>
      `machine "${p.name}" is ${p.state}, not ${p.wanted}`,
  },
  E_MACHINE_ALREADY: {
    kind: 'user',
    text: (p: { name: string; state: string }) => `machine "${p.name}" is ${p.state} already`,
  },
  E_NO_NAME: {
    kind: 'user',
    exit: usage,
    text: (_: object) => 'no machine named, and none is called "default"',
    next: () => 'Name one; tsmachine ls lists them.',
  },
  E_RECORD_BROKEN: {
    kind: 'outside',
    text: (p: { path: string; why: string }) => `can't read the machine record ${p.path}: ${p.why}`,
    next: () => 'Repair the file, or move its folder away.',
  },
  E_RECORD_NEWER: {
    kind: 'user',
    text: (p: { path: string; version: number }) =>
      `${p.path} was written by a newer tsmachine (format ${p.version})`,
    next: () => 'Update tsmachine.',
  },
  E_STORAGE: {
    kind: 'outside',
    text: (p: { path: string; why: string }) => `can't use the storage folder ${p.path}: ${p.why}`,
    next: () => 'Make room or repair its permissions, or choose another with --storage-path.',
  },
  E_CERTIFICATE_MISSING: {
    kind: 'user',
    text: (p: { path: string }) => `the certificate file ${p.path} is missing`,
    next: () =>
      'Put it back from a backup; without the CA, take all of certs/ away and provision each machine again.',
  },
  E_DRIVER_UNKNOWN: {
    kind: 'user',
    exit: usage,
    text: (p: { driver: string; known: string[] }) =>
      `no driver "${p.driver}"; there are ${p.known.join(', ')}`,
  },
  E_OPTION: {
    kind: 'user',
    exit: usage,
    text: (p: { option: string; why: string }) => `${p.option}: ${p.why}`,
  },
  E_UNSUPPORTED: {
    kind: 'user',
    text: (p: { name: string; driver: string; action: string }) =>
      `can't ${p.action} ${p.name}: the ${p.driver} driver has no power over its host`,
    next: (p: { name: string; action: string }) => `Do it on the host itself: tsmachine ssh ${p.name}`,
  },
  E_NOT_ROOT: {
    kind: 'user',
    exit: precheck,
    text: (_: object) => 'local machines need root, for their namespaces and network',
    next: () => 'Run the same command with sudo.',
  },
  E_NOT_LINUX: {
    kind: 'user',
    exit: precheck,
    text: (p: { platform: string }) => `local machines need Linux, and this is ${p.platform}`,
    next: () => 'Use another driver.',
  },
  E_PACKAGE_MISSING: {
    kind: 'user',
    exit: precheck,
    text: (p: { commands: string[]; packages: string[] }) => `this machine lacks ${p.commands.join(', ')}`,
    next: (p: { packages: string[] }) =>
      `Install it: apt-get install -y --no-install-recommends ${p.packages.join(' ')}`,
  },
  E_NO_SUBNET: {
    kind: 'user',
    exit: precheck,
    text: (p: { why: string }) => `no subnet for local machines: ${p.why}`,
    next: () => 'Choose one that no route covers: --local-subnet 192.168.200.0/24',
  },
  E_USER_DATA: {
    kind: 'user',
    exit: usage,
    text: (p: { why: string }) => `can't use the user data: ${p.why}`,
    next: () => 'Mend it and check it: cloud-init schema --config-file FILE',
  },
  E_USER_DATA_SIZE: {
    kind: 'user',
    exit: usage,
    text: (p: { bytes: number; limit: number }) =>
      `the user data has ${p.bytes} bytes with our part, packed; this cloud takes ${p.limit}`,
    next: () => 'Let it fetch its larger parts itself, by #include or in a script.',
  },
  E_TOOL: {
    kind: 'outside',
    text: (p: { command: string; why: string }) => `${p.command} failed: ${p.why}`,
  },
  E_HOST_DIED: {
    kind: 'outside',
    text: (p: { name: string; why: string }) => `the host ${p.name} stopped right after its start: ${p.why}`,
  },
  E_SSH_REFUSED: {
    kind: 'outside',
    retryable: true,
    text: (p: { host: string; port: number }) => `${p.host} refuses SSH connections on port ${p.port}`,
    next: () => 'Is sshd running there, and on this port?',
  },
  E_SSH_UNREACHABLE: {
    kind: 'outside',
    retryable: true,
    text: (p: { host: string; port: number; why: string }) =>
      `no answer from ${p.host} port ${p.port} (${p.why}): filtered by a firewall, or no such host`,
    next: () => 'Check the address, the route and the firewall between.',
  },
  E_SSH_NAME: {
    kind: 'outside',
    text: (p: { host: string }) => `the name ${p.host} has no address`,
    next: () => 'Check the spelling, or give the IP address.',
  },
  E_SSH_PROTOCOL: {
    kind: 'outside',
    retryable: true,
    text: (p: { host: string; port: number; why: string }) =>
      `what answers on ${p.host} port ${p.port} does not speak SSH as expected: ${p.why}`,
  },
  E_SSH_AUTH: {
    kind: 'user',
    text: (p: { host: string; user: string; offered: string }) =>
      `${p.host} does not let ${p.user} in with ${p.offered}`,
    next: () => 'Check the user, the key, and authorized_keys on the host.',
  },
  E_SSH_KEY: {
    kind: 'user',
    exit: usage,
    text: (p: { path: string; why: string }) => `can't use the SSH key ${p.path}: ${p.why}`,
  },
  E_SSH_HOST_KEY: {
    kind: 'user',
    text: (p: { host: string; expected: string; got: string }) =>
      `the host key of ${p.host} has changed: expected ${p.expected}, got ${p.got}`,
    next: () =>
      'Somebody may be between; if the host was set up anew, remove the machine and create it again.',
  },
  E_SSH_LOST: {
    kind: 'outside',
    retryable: true,
    text: (p: { host: string; during: string; why: string }) =>
      `the SSH connection to ${p.host} broke (${p.why}) during: ${p.during}`,
  },
  E_REMOTE: {
    kind: 'outside',
    text: (p: { host: string; command: string; code: number; stderr: string }) =>
      `${p.command} failed on ${p.host} (exit ${p.code}): ${p.stderr || 'no message'}`,
  },
  E_HOST_UNFIT: {
    kind: 'user',
    exit: precheck,
    text: (p: { host: string; why: string }) => `${p.host} can't run the engine: ${p.why}`,
  },
  E_NO_SUDO: {
    kind: 'user',
    exit: precheck,
    text: (p: { host: string; user: string }) =>
      `${p.user} may not become root on ${p.host} without a password`,
    next: () => 'Log in as root, or give the user passwordless sudo.',
  },
  E_DISK_FULL: {
    kind: 'outside',
    exit: precheck,
    text: (p: { host: string; path: string; free: string; needed: string }) =>
      `not enough room on ${p.host}: ${p.path} has ${p.free} free, ${p.needed} are needed`,
    next: () => 'Free some disk space there and repeat the command.',
  },
  E_BUNDLE: {
    kind: 'outside',
    text: (p: { why: string }) => `can't put the engine's bundle together: ${p.why}`,
  },
  E_BUNDLE_DIGEST: {
    kind: 'outside',
    text: (p: { host: string; file: string }) => `${p.file} arrived damaged on ${p.host}: its digest differs`,
    next: () => 'Repeat the command; check the host’s disk and memory if it happens again.',
  },
  E_ENGINE_SILENT: {
    kind: 'outside',
    retryable: true,
    text: (p: { url: string; why: string }) => `the engine at ${p.url} does not answer: ${p.why}`,
    next: () => 'See its log: tsmachine ssh NAME tail /var/log/tshost.log, or journalctl -u tshost.',
  },
  E_ENGINE_DIED: {
    kind: 'outside',
    text: (p: { url: string; line: string }) =>
      `the engine at ${p.url} does not come up; its log says: ${p.line}`,
    next: () => 'See the end of its log with --debug.',
  },
  E_ENGINE_TLS: {
    kind: 'outside',
    text: (p: { url: string; why: string }) => `no mutual TLS with the engine at ${p.url}: ${p.why}`,
    next: () => 'Renew its certificates: tsmachine provision NAME',
  },
  E_ENGINE_ERROR: {
    kind: 'outside',
    text: (p: { url: string; what: string; status: number; message: string }) =>
      `${p.what}: the engine at ${p.url} answers ${p.status}: ${p.message}`,
  },
  E_NO_SWARM: {
    kind: 'user',
    exit: precheck,
    text: (p: { why: string }) => `no swarm to join: ${p.why}`,
    next: () => 'Make a manager first (tsmachine create --swarm manager), or name one: --swarm-join NAME',
  },
  E_AZURE: {
    kind: 'outside',
    text: (p: { what: string; code: string; message: string }) =>
      `can't ${p.what} in Azure: ${p.code}: ${p.message.split('\n')[0]}`,
    next: (p: { code: string }) =>
      p.code === 'AuthorizationFailed'
        ? 'Give the account the roles Virtual Machine Contributor and Network Contributor there; docs/drivers.md.'
        : 'See the cause with --debug; docs/drivers.md has what the driver needs.',
  },
  E_AZURE_SEVERAL: {
    kind: 'outside',
    text: (p: { whys: string[] }) => p.whys.join('; '),
  },
  E_AZURE_SIGN_IN: {
    kind: 'user',
    exit: precheck,
    text: (p: { why: string }) => `can't sign in to Azure: ${p.why}`,
    next: () =>
      'Run az login, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or use --azure-device-code.',
  },
  E_AZURE_BUSY: {
    kind: 'outside',
    retryable: true,
    text: (p: { what: string; why: string; waited: string; limit: string }) =>
      `Azure: ${p.what}: ${p.why}; waited ${p.waited} of at most ${p.limit}`,
    next: () => 'Repeat the same command later: it goes on where this one stopped.',
  },
  E_AZURE_CAPACITY: {
    kind: 'outside',
    text: (p: { size: string; location: string; refused: string[] }) =>
      `Azure has no room for ${p.size} in ${p.location}: ${p.refused.join('; ')}`,
    next: () => 'Try another --azure-size, --azure-availability-zone or --azure-location.',
  },
  E_AZURE_LEFT: {
    kind: 'outside',
    retryable: true,
    text: (p: { what: string; place: string }) => `${p.what} is still in the resource group ${p.place}`,
  },
  E_AZURE_UNREACHED: {
    kind: 'outside',
    text: (p: { why: string; console: string }) => `${p.why}; the console's end: ${p.console}`,
    next: () =>
      'Look at the security group, the addresses of --azure-allow-from and the image; --debug shows more.',
  },
  E_LEFT_BEHIND: {
    kind: 'outside',
    text: (p: { name: string; left: string[]; after?: string }) =>
      `${p.after ? `${p.after}; and ` : ''}${p.name} is not quite gone, left: ${p.left.join('; ')}`,
    next: (p: { name: string }) => `Repeat once the cause is mended: tsmachine rm ${p.name}`,
  },
  E_ABORTED: {
    kind: 'user',
    exit: 130,
    text: (p: { what: string }) => `interrupted: ${p.what}`,
  },
  E_SHELL: {
    kind: 'user',
    exit: usage,
    text: (_: object) => "can't tell which shell this is",
    next: () => 'Name it: tsmachine env --shell bash',
  },
  E_FORMAT: {
    kind: 'user',
    exit: usage,
    text: (p: { format: string; why: string }) => `can't read the format "${p.format}": ${p.why}`,
  },
} as const satisfies Parameters<typeof failures>[0]

export const fail = failures(machineFailures)
