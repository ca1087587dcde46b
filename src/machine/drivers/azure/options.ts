/**
 * The Azure driver's options: docker-machine's names and variables where it had the option, and what came since.
 * Names of machines, locations and people only; a secret is never among what is kept.
 */
import type { OptionTable } from '../driver.ts'

/**
 * docker-machine's, which other tools set, too. Its --azure-client-secret is left out, since a record holds no secrets:
 * AZURE_CLIENT_SECRET in the environment does the same.
 */
const signIn: OptionTable = {
  'subscription-id': {
    summary: 'Subscription that the machine belongs to (required).',
    type: 'string',
    env: 'AZURE_SUBSCRIPTION_ID',
    required: true,
  },
  'tenant-id': { summary: 'Tenant to sign in to.', type: 'string', env: 'AZURE_TENANT_ID' },
  'client-id': {
    summary: 'Service principal, or user-assigned managed identity, to sign in as.',
    type: 'string',
    env: 'AZURE_CLIENT_ID',
  },
  'device-code': {
    summary: 'Sign in with a browser and a code that is shown.',
    type: 'boolean',
    env: 'AZURE_DEVICE_CODE',
  },
  environment: {
    summary: 'Cloud: AzurePublicCloud, AzureUSGovernmentCloud or AzureChinaCloud.',
    type: 'string',
    env: 'AZURE_ENVIRONMENT',
    default: 'AzurePublicCloud',
  },
  endpoint: {
    summary: 'Resource manager to talk to in place of the one of the cloud.',
    type: 'string',
    env: 'AZURE_RESOURCE_MANAGER_ENDPOINT',
  },
}

const host: OptionTable = {
  location: { summary: 'Region.', type: 'string', env: 'AZURE_LOCATION', default: 'westus2' },
  'availability-zone': {
    summary: 'Zones to try, in this order.',
    type: 'strings',
    env: 'AZURE_AVAILABILITY_ZONE',
  },
  'availability-set': {
    summary: 'An availability set that is there already.',
    type: 'string',
    env: 'AZURE_AVAILABILITY_SET',
  },
  size: { summary: 'Size of the VM.', type: 'string', env: 'AZURE_SIZE', default: 'Standard_B2als_v2' },
  image: {
    summary: 'PUBLISHER:OFFER:SKU:VERSION or the id of an image; else the newest Ubuntu LTS.',
    type: 'string',
    env: 'AZURE_IMAGE',
  },
  plan: {
    summary: "The image is a marketplace product: its terms' PUBLISHER:PRODUCT:NAME.",
    type: 'string',
    env: 'AZURE_PLAN',
  },
  'ssh-user': {
    summary: 'User to make and to log in as.',
    type: 'string',
    env: 'AZURE_SSH_USER',
    default: 'docker-user',
  },
  'docker-port': {
    summary: 'Port for the engine to listen on.',
    type: 'integer',
    env: 'AZURE_DOCKER_PORT',
    default: 2376,
  },
  'custom-data': {
    summary: 'File with user data for cloud-init; ours is merged with it.',
    type: 'string',
    env: 'AZURE_CUSTOM_DATA_FILE',
  },
  'storage-type': {
    summary: 'Kind of managed disk.',
    type: 'string',
    env: 'AZURE_STORAGE_TYPE',
    default: 'StandardSSD_LRS',
  },
  'disk-size': { summary: 'Size of the disk in GB.', type: 'integer', env: 'AZURE_DISK_SIZE', default: 30 },
  tags: { summary: 'More tags: KEY,VALUE,KEY,VALUE.', type: 'string', env: 'AZURE_TAGS' },
  spot: { summary: 'Run on spare capacity, which may be taken away.', type: 'boolean', env: 'AZURE_SPOT' },
  'spot-eviction-policy': {
    summary: 'What becomes of a VM whose capacity is taken away: Deallocate or Delete.',
    type: 'string',
    env: 'AZURE_SPOT_EVICTION_POLICY',
    default: 'Deallocate',
  },
  'spot-max-price': {
    summary: 'Highest price for an hour in US dollars; else that of a regular VM.',
    type: 'string',
    env: 'AZURE_SPOT_MAX_PRICE',
  },
  'spot-only': {
    summary: 'Fail where there is no spare capacity, and take no regular VM.',
    type: 'boolean',
    env: 'AZURE_SPOT_ONLY',
  },
}

const network: OptionTable = {
  'resource-group': {
    summary: 'Resource group to use, made where it is missing; else one for all of yours in the region.',
    type: 'string',
    env: 'AZURE_RESOURCE_GROUP',
  },
  vnet: {
    summary: 'Virtual network to use, as NAME or GROUP:NAME, made where it is missing; else a shared one.',
    type: 'string',
    env: 'AZURE_VNET',
  },
  subnet: { summary: 'Subnet in it.', type: 'string', env: 'AZURE_SUBNET', default: 'tsmachine' },
  'subnet-prefix': {
    summary: 'Addresses of a network that is made.',
    type: 'string',
    env: 'AZURE_SUBNET_PREFIX',
    default: '192.168.0.0/16',
  },
  nsg: {
    summary: 'A network security group that is there already, by name or id, in place of one of its own.',
    type: 'string',
    env: 'AZURE_NSG',
  },
  'allow-from': {
    summary: 'Addresses (CIDR) that may reach SSH and the engine.',
    type: 'strings',
    env: 'AZURE_ALLOW_FROM',
  },
  'open-port': {
    summary: 'Port to open to everybody: PORT, PORT/udp, PORT/*.',
    type: 'strings',
    env: 'AZURE_OPEN_PORT',
  },
  'private-ip-address': {
    summary: 'Fixed address in the subnet.',
    type: 'string',
    env: 'AZURE_PRIVATE_IP_ADDRESS',
  },
  'use-private-ip': {
    summary: 'Reach the machine at its private address.',
    type: 'boolean',
    env: 'AZURE_USE_PRIVATE_IP',
  },
  'no-public-ip': { summary: 'Make no public address.', type: 'boolean', env: 'AZURE_NO_PUBLIC_IP' },
  'static-public-ip': {
    summary: 'Taken for the sake of old scripts: the public address never changes.',
    type: 'boolean',
    env: 'AZURE_STATIC_PUBLIC_IP',
  },
  dns: { summary: 'DNS label of the public address.', type: 'string', env: 'AZURE_DNS_LABEL' },
  'accelerated-networking': {
    summary: 'Give the network interface its own hardware path; not all sizes can.',
    type: 'boolean',
    env: 'AZURE_ACCELERATED_NETWORKING',
  },
}

export const azureOptions: OptionTable = { ...signIn, ...host, ...network }
