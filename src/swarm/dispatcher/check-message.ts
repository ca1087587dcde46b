/**
 * What workers say is looked at whole before anything of it is used: a worker that somebody else has taken
 * over must be able to end no more than its own stream.
 */
import { isIPv4 } from 'node:net'
import { type Misfit, misfitFinder, oneOf, text } from '../../shared/schema.ts'
import { fail } from '../errors.ts'
import { type ToManager, wireVersion } from '../wire/messages.ts'

/** Longer than anything honest: a PEM, an error with what it quotes, a name. */
const pem = text(16 * 2 ** 10)
const sentence = text(64 * 2 ** 10)
const name = text(256)
const count = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
const number = { type: 'integer', minimum: -(2 ** 31), maximum: 2 ** 31 }
const moment = { type: 'string', format: 'moment' }
/** A description has a dozen short fields; its labels may be many, but not that many. */
const longestDescription = 64 * 2 ** 10

/** Members that this version does not know are dropped, so that a newer worker may say more. */
const record = (properties: Record<string, object>, ...required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})
const array = (items: object, maxItems: number) => ({ type: 'array', items, maxItems })

const port = record(
  {
    Name: name,
    Protocol: oneOf('tcp', 'udp', 'sctp'),
    TargetPort: { type: 'integer', minimum: 0, maximum: 65535 },
    PublishedPort: { type: 'integer', minimum: 0, maximum: 65535 },
    PublishMode: oneOf('ingress', 'host'),
  },
  'Protocol',
  'TargetPort',
  'PublishMode',
)

/** The states that come to pass on a node; the others are the manager's to say. */
const reportedStates = [
  'accepted',
  'preparing',
  'ready',
  'starting',
  'running',
  'complete',
  'shutdown',
  'failed',
  'rejected',
]

const status = record(
  {
    Timestamp: moment,
    State: oneOf(...reportedStates),
    Message: sentence,
    Err: sentence,
    RunningAt: moment,
    ContainerStatus: record({ ContainerID: name, PID: number, ExitCode: number }),
    PortStatus: record({ Ports: array(port, 70_000) }),
  },
  'Timestamp',
  'State',
)

const statuses = array(record({ ID: name, Status: status }, 'ID', 'Status'), 100_000)

const description = record(
  {
    Hostname: name,
    Platform: record({ Architecture: name, OS: name }),
    Resources: record({ NanoCPUs: count, MemoryBytes: count }),
    Engine: record(
      {
        EngineVersion: name,
        Labels: { type: 'object', additionalProperties: text(4096) },
        Plugins: array(record({ Type: name, Name: name }, 'Type', 'Name'), 1000),
      },
      'EngineVersion',
    ),
    TLSInfo: record(
      { TrustRoot: pem, CertIssuerSubject: pem, CertIssuerPublicKey: pem },
      'TrustRoot',
      'CertIssuerSubject',
      'CertIssuerPublicKey',
    ),
  },
  'Hostname',
  'Platform',
  'Resources',
  'Engine',
)

const t = { type: 'string' }
const schemas: Record<ToManager['t'], object> = {
  ca: record({ t }),
  join: record(
    { t, token: text(1024), request: pem, availability: oneOf('active', 'pause', 'drain') },
    'token',
    'request',
  ),
  hello: record(
    { t, version: number, description, advertiseAddr: name, dataPathAddr: name, statuses },
    'description',
    'statuses',
  ),
  status: record({ t, statuses }, 'statuses'),
  renew: record({ t, request: pem }, 'request'),
  leave: record({ t }),
}

const finders = new Map(
  Object.entries(schemas).map(([kind, schema]) => [
    kind,
    misfitFinder(schema, { removeAdditional: true, formats: { moment: isMoment } }),
  ]),
)

/**
 * Members that nobody knows are taken out of the message.
 * @throws E_WIRE_VERSION, E_MESSAGE_INVALID
 */
export function checkMessage(message: ToManager): void {
  // Another version's hello may look otherwise: it is told what is really wrong.
  if (message.t === 'hello' && message.version !== wireVersion)
    throw fail('E_WIRE_VERSION', { version: message.version, known: wireVersion })
  const misfit = findMisfit(message)
  if (misfit) throw fail('E_MESSAGE_INVALID', misfit)
}

function findMisfit(message: ToManager): Misfit | undefined {
  const find = finders.get(message.t)
  if (!find) return { field: 't', problem: 'is no kind of message' }
  const misfit = find(message)
  if (misfit || message.t !== 'hello') return misfit
  const isLong = JSON.stringify(message.description).length > longestDescription
  return isLong ? { field: 'description', problem: 'is too long' } : undefined
}

/** The form in which all write a moment here, so that two of them compare as texts. */
function isMoment(written: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(written) && !Number.isNaN(Date.parse(written))
}

/**
 * Where other hosts send overlay traffic: their kernels must take it.
 * @throws E_SPEC_INVALID
 */
export function checkDataPath(address: string): void {
  const [first] = address.split('.')
  // "This" network, multicast, broadcast and what is reserved are no host's.
  if (isIPv4(address) && Number(first) > 0 && Number(first) < 224) return
  throw fail('E_SPEC_INVALID', {
    why: `the data path address '${address.slice(0, 64)}' is not the IPv4 address of a host, which overlay networks need: choose one with --data-path-addr`,
  })
}
