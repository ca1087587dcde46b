/**
 * The options of the EC2 driver. docker-machine's flags and environment variables mean the same here, where they
 * still mean something; its keys in flags are left out, since a record holds no secrets: the environment, a
 * profile, SSO or the instance's own role give them.
 */
import type { DriverOption, OptionTable } from '../driver.ts'

type Kind = DriverOption['type']

/** An option that docker-machine's driver has, too, under the same name. */
const known = (name: string, type: Kind, env: string, summary: string, more: Partial<DriverOption> = {}) => ({
  [name]: { summary, type, env, aliases: [`amazonec2-${name}`], ...more },
})
/** One that is new here. */
const own = (name: string, type: Kind, summary: string, more: Partial<DriverOption> = {}) => ({
  [name]: { summary, type, env: `TSMACHINE_EC2_${name.toUpperCase().replaceAll('-', '_')}`, ...more },
})

export const ec2Options: OptionTable = {
  ...known('region', 'string', 'AWS_DEFAULT_REGION', 'Region; else that of the profile, else us-east-1.'),
  ...own('profile', 'string', 'Profile of the AWS configuration files to take credentials from.', {
    env: 'AWS_PROFILE',
  }),
  ...known('endpoint', 'string', 'AWS_ENDPOINT', 'URL of another server that speaks the EC2 API.'),
  ...known(
    'zone',
    'strings',
    'AWS_ZONE',
    'Availability zones to try, in order ("a" or "us-east-1a"); else all.',
  ),
  ...known('vpc-id', 'string', 'AWS_VPC_ID', 'VPC; else the default one.'),
  ...known('subnet-id', 'strings', 'AWS_SUBNET_ID', 'Subnets to try, in order; else those of the zones.'),
  ...known(
    'instance-type',
    'strings',
    'AWS_INSTANCE_TYPE',
    'Instance types to try, in order; else t3.small.',
  ),
  ...known('ami', 'string', 'AWS_AMI', 'Image; else the newest Ubuntu LTS, or Debian, for the architecture.'),
  ...known('ssh-user', 'string', 'AWS_SSH_USER', 'User to log in as; made where the image lacks it.', {
    default: 'ubuntu',
  }),
  ...known('ssh-port', 'integer', 'AWS_SSH_PORT', "Port of the image's SSH server.", { default: 22 }),
  ...own(
    'allow-from',
    'strings',
    'Networks that may reach SSH and the engine, such as 192.0.2.0/24; else the address of this client.',
  ),
  ...known(
    'security-group',
    'strings',
    'AWS_SECURITY_GROUP',
    'Names or ids of your own groups to attach instead of ours; they are never edited.',
  ),
  ...known('open-port', 'strings', 'TSMACHINE_EC2_OPEN_PORT', 'Ports to open to all, as PORT or PORT/udp.'),
  ...known('tags', 'string', 'AWS_TAGS', 'More tags for all that is made, as key1,value1,key2,value2.'),
  ...known('root-size', 'integer', 'AWS_ROOT_SIZE', 'Size of the root disk in GB.', { default: 16 }),
  ...known('volume-type', 'string', 'AWS_VOLUME_TYPE', 'Type of the root disk.', { default: 'gp3' }),
  ...known('kms-key', 'string', 'AWS_KMS_KEY', "Key for the root disk's encryption; else the account's own."),
  ...known('iam-instance-profile', 'string', 'AWS_INSTANCE_PROFILE', 'Instance profile, by name or ARN.'),
  ...known(
    'keypair-name',
    'string',
    'AWS_KEYPAIR_NAME',
    'Key pair of yours for the instance; never deleted.',
  ),
  ...own('spot', 'boolean', 'Run on spare capacity; where there is none, on demand.', {
    aliases: ['amazonec2-request-spot-instance'],
  }),
  ...own('spot-only', 'boolean', 'With --ec2-spot: rather fail than run on demand.'),
  ...known('spot-price', 'string', 'AWS_SPOT_PRICE', 'The most to pay for an hour of spot, in dollars.'),
  ...known('private-address-only', 'boolean', 'TSMACHINE_EC2_PRIVATE_ADDRESS_ONLY', 'No public address.'),
  ...known(
    'use-private-address',
    'boolean',
    'TSMACHINE_EC2_USE_PRIVATE_ADDRESS',
    'Reach it by its private address.',
  ),
  ...known('ipv6-address-count', 'integer', 'AWS_IPV6_ADDRESS_COUNT', 'How many IPv6 addresses it gets.', {
    default: 0,
  }),
  ...known(
    'ipv6-address-only',
    'boolean',
    'AWS_IPV6_ADDRESS_ONLY',
    'No public IPv4 address; reach it by IPv6.',
  ),
  ...own('elastic-ip', 'boolean', 'Give it an elastic address, which stays the same over stop and start.'),
  ...known(
    'http-tokens',
    'string',
    'AWS_HTTP_TOKENS',
    'Metadata service: required (version 2) or optional.',
    {
      default: 'required',
    },
  ),
  ...own('metadata-hop-limit', 'integer', 'Hops from the metadata service; containers on a bridge need 2.', {
    aliases: ['amazonec2-metadata-token-response-hop-limit'],
    default: 1,
  }),
  ...known('monitoring', 'boolean', 'TSMACHINE_EC2_MONITORING', 'Detailed monitoring.'),
  ...known(
    'userdata',
    'string',
    'AWS_USERDATA',
    'File with user data of your own for cloud-init, merged with ours.',
  ),
  ...own(
    'consistency-seconds',
    'integer',
    'How long what is new may stay unseen by this cloud; waited out before anything is made again.',
    { default: 120 },
  ),
}
