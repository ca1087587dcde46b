/**
 * What fails in clouds, in programs that run virtual machines, and in the user data for new hosts: a part of the
 * table in ../errors.ts.
 */
import type { FailureTable } from '../../shared/errors.ts'

/** Exit code of a command line that can't be right. */
const usage = 2
/** Exit code of a refusal before anything was made, as docker-machine has it. */
const precheck = 3

export const driverFailures = {
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
  E_PROGRAM_MISSING: {
    kind: 'user',
    exit: precheck,
    text: (p: { program: string; how: string }) => `this machine lacks ${p.program}`,
    next: (p: { how: string }) => `Install it: ${p.how}`,
  },
  E_IMAGE: {
    kind: 'outside',
    text: (p: { image: string; why: string }) => `can't use the image ${p.image}: ${p.why}`,
    next: () => 'Check its name and its checksum; see "Images" in docs/drivers.md.',
  },
  E_ACCELERATOR: {
    kind: 'user',
    exit: precheck,
    text: (p: { accelerator: string; why: string }) => `${p.accelerator} runs no guest here: ${p.why}`,
    next: () => 'Leave --qemu-accelerator out: the quickest that works is taken.',
  },
  E_QMP: {
    kind: 'outside',
    text: (p: { what: string; why: string }) => `QEMU's monitor does not do ${p.what}: ${p.why}`,
  },
  E_HOST_SILENT: {
    kind: 'outside',
    retryable: true,
    text: (p: { name: string; why: string; line: string }) =>
      `${p.name} does not come up: ${p.why}; its console says: ${p.line}`,
    next: () => 'See more of its console with --debug; a slow host may need a longer --timeout.',
  },
  E_VBOXMANAGE: {
    kind: 'outside',
    text: (p: { command: string; why: string }) => `VBoxManage ${p.command} failed: ${p.why}`,
  },
  E_VIRTUALBOX_UNFIT: {
    kind: 'user',
    exit: precheck,
    text: (p: { why: string; how: string }) => `VirtualBox runs no machine here: ${p.why}`,
    next: (p: { how: string }) => `Mend it: ${p.how}`,
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
  E_EC2: {
    kind: 'outside',
    text: (p: { action: string; code: string; why: string }) =>
      `EC2 refuses ${p.action}: ${p.why} (${p.code})`,
  },
  E_EC2_ACCOUNT: {
    kind: 'user',
    text: (p: { name: string; vpc: string; region: string }) =>
      `these credentials don't see ${p.vpc} in ${p.region}, where ${p.name} was made`,
    next: (p: { name: string }) =>
      `Use those of the account it was made in; is that VPC gone, forget the machine: tsmachine rm -f ${p.name}`,
  },
  E_EC2_CAPACITY: {
    kind: 'outside',
    exit: precheck,
    retryable: true,
    text: (p: { tried: string[] }) => `EC2 has no room: ${p.tried.join('; ')}`,
    next: () => 'Name more types (--ec2-instance-type), zones or subnets, or try again later.',
  },
  E_EC2_CREDENTIALS: {
    kind: 'user',
    exit: precheck,
    text: (p: { why: string }) => `no valid AWS credentials: ${p.why}`,
    next: () =>
      'Log in (aws sso login), name a profile (--ec2-profile), or set AWS_ACCESS_KEY_ID and its secret.',
  },
  E_EC2_DIED: {
    kind: 'outside',
    text: (p: { instance: string; why: string }) => `the instance ${p.instance} ended by itself: ${p.why}`,
  },
  E_EC2_FOREIGN: {
    kind: 'user',
    exit: precheck,
    text: (p: { what: string }) => `${p.what} is there already and carries no tag of ours`,
    next: () => 'Rename or delete it, or attach groups of your own: --ec2-security-group',
  },
  E_EC2_LEFT: {
    kind: 'outside',
    retryable: true,
    text: (p: { what: string; why: string }) => `${p.what} is left: ${p.why}`,
  },
  E_EC2_MISSING: {
    kind: 'user',
    exit: precheck,
    text: (p: { what: string; region: string }) => `no ${p.what} in ${p.region}`,
    next: () => 'Check the region and the name, or name another.',
  },
  E_EC2_PERMISSION: {
    kind: 'user',
    text: (p: { action: string }) => `these AWS credentials may not do ec2:${p.action}`,
    next: () => 'Add it to their policy; docs/drivers.md has one with all that is needed.',
  },
  E_EC2_SILENT: {
    kind: 'outside',
    retryable: true,
    text: (p: { where: string; action: string; why: string }) =>
      `no answer from EC2 (${p.where}) to ${p.action}: ${p.why}`,
    next: () => 'Check the network, a proxy, and --ec2-endpoint; repeat the command to go on.',
  },
  E_EC2_UNREACHED: {
    kind: 'outside',
    text: (p: { why: string; console: string }) => `${p.why}; the console's end: ${p.console}`,
    next: () => 'Keep the security group, the subnet’s route and the image in mind; --debug shows more.',
  },
  E_EC2_WAIT: {
    kind: 'outside',
    retryable: true,
    text: (p: { what: string; seconds: number }) => `waited ${p.seconds} s for ${p.what}`,
  },
  E_AZURE_SEVERAL: {
    kind: 'outside',
    text: (p: { whys: string[] }) => p.whys.join('; '),
  },
} as const satisfies FailureTable
