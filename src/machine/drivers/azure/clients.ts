/**
 * The way to Azure: who we are, and the service's three clients. The SDKs load here, when a driver's step first
 * needs them, and nowhere else.
 */
import type { ComputeManagementClient } from '@azure/arm-compute'
import type { NetworkManagementClient } from '@azure/arm-network'
import type { ResourceManagementClient } from '@azure/arm-resources'
import type { TokenCredential } from '@azure/identity'
import { type Clock, systemClock } from '../../../shared/clock.ts'
import type { DriverOptions } from '../../record.ts'
import { cloudOf, isLoopback } from './clouds.ts'
import { defaultLimits, type Limits, PollTimes } from './pace.ts'
import { patiencePolicy } from './patience.ts'
import { text } from './settings.ts'
import { Turns } from './turns.ts'

/** What all of the driver's calls go through. */
export interface Azure {
  compute: ComputeManagementClient
  network: NetworkManagementClient
  resources: ResourceManagementClient
  subscription: string
  clock: Clock
  limits: Limits
  times: PollTimes
}

/** What tests replace. */
export interface AzureSetup {
  clock?: Clock
  limits?: Partial<Limits>
  /** Certificate that the endpoint's is signed by, PEM. */
  ca?: string
  credential?: TokenCredential
  random?: () => number
  /** Overrides the option, for a service whose address changes. */
  endpoint?: () => string
}

export async function connectAzure(given: DriverOptions, setup: AzureSetup = {}): Promise<Azure> {
  const options = setup.endpoint ? { ...given, endpoint: setup.endpoint() } : given
  const cloud = cloudOf(options)
  const clock = setup.clock ?? systemClock
  const limits = { ...defaultLimits, ...setup.limits }
  const times = new PollTimes()
  const [{ ComputeManagementClient }, { NetworkManagementClient }, { ResourceManagementClient }] =
    await Promise.all([
      import('@azure/arm-compute'),
      import('@azure/arm-network'),
      import('@azure/arm-resources'),
    ])
  const subscription = String(options['subscription-id'])
  const isPlain = isLoopback(cloud.endpoint)
  const turns = new Turns(clock)
  const policy = patiencePolicy({ clock, limits, times, turns, random: setup.random ?? Math.random })
  const clientOptions = {
    endpoint: cloud.endpoint,
    credentials: { scopes: [cloud.scope] },
    userAgentOptions: { userAgentPrefix: 'tsmachine' },
    // Ours is the patience: one kind of limit, named in the error, and ended by the signal.
    retryOptions: { maxRetries: 0 },
    additionalPolicies: [{ policy, position: 'perCall' as const }],
    allowInsecureConnection: isPlain,
    ...(setup.ca && { tlsOptions: { ca: setup.ca } }),
  }
  const credential = isPlain
    ? noCredential
    : (setup.credential ?? (await signIn(options, cloud.authority, setup.ca)))
  return {
    compute: new ComputeManagementClient(credential, subscription, clientOptions),
    network: new NetworkManagementClient(credential, subscription, clientOptions),
    resources: new ResourceManagementClient(credential, subscription, clientOptions),
    subscription,
    clock,
    limits,
    times,
  }
}

// The SDK asks nobody where there is no credential; its types don't know that.
const noCredential = undefined as unknown as TokenCredential

/**
 * What the command line, the environment or the machine itself is signed in with; nothing of it is kept by us.
 * @see https://learn.microsoft.com/javascript/api/@azure/identity/defaultazurecredential
 */
async function signIn(
  options: DriverOptions,
  authorityHost: string,
  ca: string | undefined,
): Promise<TokenCredential> {
  const { ClientSecretCredential, DefaultAzureCredential, DeviceCodeCredential } = await import(
    '@azure/identity'
  )
  const common = {
    tenantId: text(options, 'tenant-id'),
    authorityHost,
    // An authority of the user's own is none that the public one has heard of.
    disableInstanceDiscovery: process.env.AZURE_AUTHORITY_HOST !== undefined,
    ...(ca !== undefined && { tlsOptions: { ca } }),
  }
  if (options['device-code'] === true) {
    return new DeviceCodeCredential({
      ...common,
      userPromptCallback: ({ message }) => void process.stderr.write(`${message}\n`),
    })
  }
  const clientId = text(options, 'client-id')
  const { tenantId } = common
  const secret = process.env.AZURE_CLIENT_SECRET
  // docker-machine's way: who it is in flags. The chain below looks for all three in the environment only.
  if (clientId !== undefined && tenantId !== undefined && secret !== undefined)
    return new ClientSecretCredential(tenantId, clientId, secret, common)
  return new DefaultAzureCredential({ ...common, managedIdentityClientId: clientId })
}
