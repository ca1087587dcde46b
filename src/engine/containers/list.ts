/** The filters of GET /containers/json. */
import type { Container } from './container.ts'
import type { ContainerContext } from './context.ts'
import { networkRequest } from './create.ts'
import { fail } from './errors.ts'

/** Filter name -> values, any of which is enough. */
export type Filters = Record<string, string[]>

export interface ListOptions {
  /** Those that don't run, too. */
  all: boolean
  /** The newest N, running or not. */
  limit?: number
  filters: Filters
}

type Test = (container: Container, value: string, context: ContainerContext) => boolean

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']

const tests: Record<string, Test> = {
  id: (c, value) => c.id.startsWith(value),
  name: (c, value) => namePattern(value).test(c.record.name),
  label: (c, value) => hasLabel(c.record.config.Labels, value),
  status: (c, value) => c.record.state.status === value,
  exited: (c, value) => c.record.state.status === 'exited' && String(c.record.state.exitCode) === value,
  ancestor: (c, value, context) => isAncestor(c, value, context),
  before: (c, value, context) => c.record.created < context.table.get(value).record.created,
  since: (c, value, context) => c.record.created > context.table.get(value).record.created,
  volume: (c, value) =>
    c.record.mounts.some((m) => m.Name === value || m.Destination === value || m.Source === value),
  network: (c, value, context) => isOnNetwork(c, value, context),
  publish: (c, value) =>
    Object.values(c.record.hostConfig.PortBindings).some((list) =>
      list.some((b) => matchesPort(b.HostPort, value)),
    ),
  expose: (c, value) =>
    Object.keys(c.record.config.ExposedPorts ?? {}).some((port) => matchesPort(port, value)),
  health: (c, value) => (c.record.state.health?.Status ?? 'none') === value,
  isolation: (_, value) => value === 'default' || value === '',
  'is-task': (c, value) =>
    (c.record.config.Labels['com.docker.swarm.task.id'] !== undefined) ===
    (value === 'true' || value === '1'),
}

/** Newest first. @throws E_PARAMETER for a filter that there is not */
export function listContainers(context: ContainerContext, options: ListOptions): Container[] {
  const filters = Object.entries(options.filters)
  for (const [name, values] of filters) {
    if (!tests[name]) throw fail('E_PARAMETER', { name: 'filter', problem: `'${name}'` })
    const unknown = name === 'status' ? values.find((v) => !statuses.includes(v)) : undefined
    if (unknown) throw fail('E_PARAMETER', { name: 'filter', problem: `'status=${unknown}'` })
  }
  const showAll =
    options.all ||
    options.limit !== undefined ||
    ['status', 'exited', 'before', 'since'].some((n) => options.filters[n])
  const matching = context.table
    .all()
    .filter((c) => showAll || c.isRunning || c.record.state.status === 'restarting')
    .filter((c) => filters.every(([name, values]) => passes(c, name, values, context)))
    .sort((a, b) => (a.record.created < b.record.created ? 1 : -1))
  return options.limit ? matching.slice(0, options.limit) : matching
}

/** Labels must all hold; of any other filter one value is enough. */
function passes(container: Container, name: string, values: string[], context: ContainerContext): boolean {
  const one = (value: string) => tests[name]!(container, value, context)
  return name === 'label' ? values.every(one) : values.length === 0 || values.some(one)
}

/** @throws E_PARAMETER for what is no pattern */
function namePattern(value: string): RegExp {
  try {
    return new RegExp(value.replace(/^(\^?)\//, '$1'))
  } catch (error) {
    throw fail('E_PARAMETER', { name: 'filter', problem: `'name=${value.slice(0, 60)}'` }, error)
  }
}

/** "key" or "key=value". */
export function hasLabel(labels: Record<string, string>, text: string): boolean {
  const at = text.indexOf('=')
  return at < 0 ? labels[text] !== undefined : labels[text.slice(0, at)] === text.slice(at + 1)
}

function isAncestor(container: Container, value: string, context: ContainerContext): boolean {
  const { record } = container
  if (
    record.config.Image === value ||
    record.imageId.replace('sha256:', '').startsWith(value.replace('sha256:', ''))
  )
    return true
  try {
    return context.images.resolve(value).id === record.imageId
  } catch (error) {
    if ((error as { http?: number }).http === 404) return false
    throw error
  }
}

function isOnNetwork(container: Container, value: string, context: ContainerContext): boolean {
  const { Networks } = context.networks.view(networkRequest(container.record))
  return Object.entries(Networks).some(([name, n]) => name === value || (n.NetworkID ?? '').startsWith(value))
}

/** "80", "80/tcp", "8000-8100/udp" against a port that may have a protocol. */
function matchesPort(port: string, wanted: string): boolean {
  const [range = '', protocol = 'tcp'] = wanted.split('/')
  const [number = '', ownProtocol = 'tcp'] = port.split('/')
  const [first, last = first] = range.split('-').map(Number)
  return protocol === ownProtocol && Number(number) >= first! && Number(number) <= last!
}
