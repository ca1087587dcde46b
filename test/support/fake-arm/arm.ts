/**
 * A resource manager with state, behaving at its worst where it is told to: operations that take their time, lists that
 * lag, conflicts of concurrent and dependent calls, throttling, inner errors, no capacity. It knows resource groups,
 * network, compute, the list of all resources, and the registration of providers.
 */
import type { Clock } from '../../../src/shared/clock.ts'
import type { CloudAnswer, CloudCall, FakeCloud } from '../fault-gate.ts'
import { accepted, empty, gone, groupBody, groupGone, json, refusal, resourceBody } from './answers.ts'
import { beginVm, dropVm, finishVm, isVm, refuseVmPut, switchVm, vmStatuses } from './compute.ts'
import { finishNetwork, refuseNetworkDelete, refuseNetworkPut } from './network.ts'
import { ArmState, type Behaviour, calm, type Operation, type Resource } from './state.ts'

/** The types that are known, spelled as the service spells them. */
const types = [
  'Microsoft.Compute/virtualMachines',
  'Microsoft.Compute/disks',
  'Microsoft.Compute/availabilitySets',
  'Microsoft.Network/networkInterfaces',
  'Microsoft.Network/publicIPAddresses',
  'Microsoft.Network/virtualNetworks',
  'Microsoft.Network/networkSecurityGroups',
  'Microsoft.Storage/storageAccounts',
]

export class FakeArm implements FakeCloud {
  readonly state: ArmState
  readonly log: string[] = []
  /** How it is reached: operations tell their whole address. */
  scheme: 'http' | 'https' = 'http'
  #requests = 0
  #tokens = 10
  #filledMs = 0

  constructor(clock: Clock, behaviour: Partial<Behaviour> = {}) {
    this.state = new ArmState(clock, { ...calm, ...behaviour })
  }

  /** Ids of all groups and resources that were made through the API, with the census's spelling of their names. */
  census(): string[] {
    this.state.settle()
    return [
      ...[...this.state.groups.values()].filter(({ isForeign }) => !isForeign).map(({ id }) => id),
      ...[...this.state.resources.values()].filter(({ isForeign }) => !isForeign).map(({ id }) => id),
    ]
  }

  /** Tags of all that lives, by id. */
  tags(): Record<string, Record<string, string>> {
    const all = [...this.state.groups.values(), ...this.state.resources.values()]
    return Object.fromEntries(all.map(({ id, tags }) => [id, tags]))
  }

  errorAnswer(kind: 'refused' | 'failed'): CloudAnswer {
    return kind === 'refused'
      ? refusal(403, 'AuthorizationFailed', 'The client does not have authorization to perform this action.')
      : refusal(500, 'InternalServerError', 'An unexpected error occurred.')
  }

  /** Puts something of somebody else's there. */
  seedGroup(name: string, location = 'westus2', tags: Record<string, string> = {}): void {
    const id = `/subscriptions/${subscriptionOfTests}/resourceGroups/${name}`
    this.state.groups.set(name.toLowerCase(), {
      id,
      name,
      location,
      tags,
      isDeleting: false,
      isForeign: true,
    })
  }

  seed(group: string, type: string, name: string, properties: object = {}): string {
    const id = `/subscriptions/${subscriptionOfTests}/resourceGroups/${group}/providers/${type}/${name}`
    this.state.put({
      id,
      name,
      group,
      type,
      location: 'westus2',
      tags: {},
      more: {},
      properties: { provisioningState: 'Succeeded', ...properties },
      createdMs: this.state.now,
      isForeign: true,
    })
    return id
  }

  /** Takes a spot VM's capacity away, as its policy has it. */
  evict(name: string): void {
    const vm = this.state.ofType('Microsoft.Compute/virtualMachines').find((one) => one.name === name)
    if (!vm) throw new Error(`no VM ${name}`)
    if (vm.properties.evictionPolicy === 'Delete') dropVm(this.state, vm)
    else vm.properties.power = 'deallocated'
  }

  async handle(call: CloudCall): Promise<CloudAnswer> {
    this.state.settle()
    const { throttleEvery, failEvery, perSecond } = this.state.behaviour
    const count = ++this.#requests
    const base = `${this.scheme}://${call.headers.host}`
    const url = new URL(call.url, base)
    this.log.push(`${call.method} ${url.pathname}`)
    if (perSecond > 0) {
      const { now } = this.state
      this.#tokens = Math.min(10, this.#tokens + ((now - this.#filledMs) / 1_000) * perSecond)
      this.#filledMs = now
      if (this.#tokens < 1)
        return refusal(429, 'TooManyRequests', 'Too many requests.', { 'retry-after': '1' })
      this.#tokens--
    }
    if (isUnlucky(count, throttleEvery))
      return refusal(429, 'TooManyRequests', 'Too many requests.', { 'retry-after': '7' })
    if (isUnlucky(count, failEvery)) return this.errorAnswer('failed')
    if (url.pathname.startsWith('/console/'))
      return { status: 200, body: `\x1b[32mOK\x1b[0m booted\r\n\r\n${url.pathname} login: ` }
    const answer = this.#route(call, url, base)
    this.state.settle()
    return answer
  }

  #route({ method, body }: CloudCall, url: URL, base: string): CloudAnswer {
    const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent)
    if (!url.searchParams.has('api-version')) return refusal(400, 'MissingApiVersionParameter')
    const [, subscription = '', third = '', name, , ...rest] = parts
    const input = body ? (JSON.parse(body) as Record<string, unknown>) : {}
    if (parts.includes('operations')) return this.#operation(parts.at(-1)!, url)
    switch (third.toLowerCase()) {
      case 'providers':
        return this.#subscription(method, parts, url)
      case 'resources':
        return json(200, { value: this.#listed(this.state.lagging(), url).map(resourceBody) })
      case 'resourcegroups': {
        if (name === undefined) {
          const owned = [...this.state.groups.values()].filter(matching(url))
          return json(200, { value: owned.map(groupBody) })
        }
        if (parts.length === 4) return this.#group(method, subscription, name, input, base)
        const group = this.state.groups.get(name.toLowerCase())
        if (!group) return groupGone(name)
        if (parts[4]?.toLowerCase() === 'resources') {
          const all = this.state.lagging().filter((one) => one.group.toLowerCase() === name.toLowerCase())
          return json(200, { value: all.map(resourceBody) })
        }
        return this.#resource({ method, subscription, group: name, rest, input, url, base })
      }
    }
    return refusal(404, 'InvalidResourceType', url.pathname)
  }

  #subscription(method: string, parts: string[], url: URL): CloudAnswer {
    const [, subscription, , namespace = '', kind] = parts
    const { state } = this
    if (kind === undefined || kind === 'register') {
      const isMissing = state.behaviour.unregistered.includes(namespace)
      if (method === 'POST' && !state.registered.has(namespace))
        state.registered.set(namespace, state.now + state.behaviour.operationMs)
      const since = state.registered.get(namespace)
      const registrationState =
        !isMissing || (since !== undefined && since <= state.now)
          ? 'Registered'
          : since === undefined
            ? 'NotRegistered'
            : 'Registering'
      return json(200, {
        id: `/subscriptions/${subscription}/providers/${namespace}`,
        namespace,
        registrationState,
      })
    }
    if (parts.at(-1) === 'offers')
      return json(
        200,
        state.behaviour.offers.map((name) => ({ name, location: parts[5], id: name })),
      )
    const type = typeOf(namespace, kind)
    if (!type) return refusal(404, 'InvalidResourceType', url.pathname)
    return json(200, { value: state.ofType(type).map((one) => this.#view(one, true)) })
  }

  #operation(id: string, url: URL): CloudAnswer {
    const operation = this.state.operations.get(id)
    if (!operation) return gone(id)
    const { status, error } = operation
    if (url.searchParams.has('result')) {
      if (status === 'InProgress') {
        return json(202, undefined, {
          location: url.href,
          'retry-after': `${this.state.behaviour.retryAfterS}`,
        })
      }
      return error ? refusal(409, error.code, error.message) : json(200, {})
    }
    return json(
      200,
      { name: id, status, error },
      status === 'InProgress' ? { 'retry-after': `${this.state.behaviour.retryAfterS}` } : {},
    )
  }

  #group(method: string, subscription: string, name: string, input: Record<string, unknown>, base: string) {
    const { state } = this
    const key = name.toLowerCase()
    const group = state.groups.get(key)
    if (method === 'PUT') {
      if (group?.isDeleting) return refusal(409, 'ResourceGroupBeingDeleted', `${name} is being deleted.`)
      const { location, tags = {} } = input as { location: string; tags?: Record<string, string> }
      if (group && group.location !== location) return refusal(409, 'InvalidResourceGroupLocation')
      const id = `/subscriptions/${subscription}/resourceGroups/${name}`
      const made = { id, name, location, tags, isDeleting: false, isForeign: group?.isForeign ?? false }
      state.groups.set(key, made)
      return json(group ? 200 : 201, groupBody(made))
    }
    if (!group) return groupGone(name)
    if (method === 'GET') return json(200, groupBody(group))
    const operation = state.begin(() => {
      for (const one of state.resources.values()) if (one.group.toLowerCase() === key) state.drop(one)
      state.groups.delete(key)
      return undefined
    })
    group.isDeleting = true
    return accepted(202, operation, operations(base, subscription), {
      locationOnly: true,
      retryAfterS: state.behaviour.retryAfterS,
    })
  }

  #resource(call: ResourceCall): CloudAnswer {
    const { method, group, rest, base, subscription } = call
    const [namespace = '', kind = '', name, action] = rest
    const type = typeOf(namespace, kind)
    if (!type) return refusal(404, 'InvalidResourceType', rest.join('/'))
    const { state } = this
    if (name === undefined)
      return json(200, { value: state.ofType(type, group).map((one) => this.#view(one, false)) })
    const id = `/subscriptions/${subscription}/resourceGroups/${group}/providers/${type}/${name}`
    const there = state.find(id)
    if (method === 'PUT') return this.#put(call, id, type, name)
    if (!there) return method === 'DELETE' ? empty() : gone(id)
    if (method === 'GET')
      return json(200, this.#view(there, call.url.searchParams.get('$expand') === 'instanceView'))
    if (action === 'retrieveBootDiagnosticsData')
      return json(200, { serialConsoleLogBlobUri: `${base}/console/${name}` })
    if (there.busy !== undefined) return busy(there, state)
    if (method === 'DELETE') return this.#delete(there, base, subscription)
    const operation = switchVm(state, there, action ?? '')
    if (!operation) return refusal(404, 'InvalidAction', action)
    return this.#accepted(202, operation, base, subscription)
  }

  #put(
    { input, group, base, subscription }: ResourceCall,
    id: string,
    type: string,
    name: string,
  ): CloudAnswer {
    const { state } = this
    if (state.groups.get(group.toLowerCase())?.isDeleting)
      return refusal(409, 'ResourceGroupBeingDeleted', `${group} is being deleted.`)
    const before = state.find(id)
    if (before?.busy !== undefined) return busy(before, state)
    const {
      location = '',
      tags = {},
      properties = {},
      id: _,
      name: __,
      type: ___,
      ...more
    } = input as Partial<Resource> & Record<string, unknown>
    const createdMs = before?.createdMs ?? state.now
    const isForeign = before?.isForeign ?? false
    const wanted: Resource = { id, name, group, type, location, tags, more, properties, createdMs, isForeign }
    const refused = isVm(wanted) ? refuseVmPut(state, id, wanted) : refuseNetworkPut(state, type, properties)
    if (refused) return refused
    const { provisioningState: _state, ...kept } = before?.properties ?? {}
    const resource = before ?? wanted
    Object.assign(resource, {
      ...wanted,
      properties: { ...kept, ...properties, provisioningState: before ? 'Updating' : 'Creating' },
    })
    if (!before) {
      state.put(resource)
      if (isVm(resource)) beginVm(state, resource)
    }
    const operation = state.begin(() => {
      resource.busy = undefined
      resource.properties.provisioningState = 'Succeeded'
      finishNetwork(state, resource)
      return isVm(resource) ? finishVm(state, resource) : undefined
    })
    if (operation.status === 'InProgress') resource.busy = operation.id
    return this.#accepted(before ? 200 : 201, operation, base, subscription, this.#view(resource, false))
  }

  #delete(resource: Resource, base: string, subscription: string): CloudAnswer {
    const { state } = this
    const refused = refuseNetworkDelete(state, resource)
    if (refused) return refused
    resource.properties.provisioningState = 'Deleting'
    const operation = state.begin(() => {
      if (isVm(resource)) dropVm(state, resource)
      else state.drop(resource)
      return undefined
    })
    resource.busy = operation.id
    return this.#accepted(202, operation, base, subscription)
  }

  #accepted(
    status: number,
    operation: Operation,
    base: string,
    subscription: string,
    body?: unknown,
  ): CloudAnswer {
    const { locationOnly, retryAfterS } = this.state.behaviour
    return accepted(status, operation, operations(base, subscription), { body, locationOnly, retryAfterS })
  }

  #view(resource: Resource, withStatuses: boolean) {
    const body = resourceBody(resource)
    const { power: _, ...properties } = resource.properties
    const instanceView = { statuses: vmStatuses(resource) }
    return { ...body, properties: { ...properties, ...(withStatuses && isVm(resource) && { instanceView }) } }
  }

  #listed(all: Resource[], url: URL): Resource[] {
    return all.filter(matching(url))
  }
}

interface ResourceCall {
  method: string
  subscription: string
  group: string
  /** Namespace, kind, name and what follows. */
  rest: string[]
  input: Record<string, unknown>
  url: URL
  base: string
}

export const subscriptionOfTests = '00000000-0000-4000-8000-000000000001'

function busy({ name }: Resource, { behaviour }: ArmState): CloudAnswer {
  return refusal(409, 'AnotherOperationInProgress', `Another operation works on ${name}.`, {
    'retry-after': `${behaviour.retryAfterS}`,
  })
}

function operations(base: string, subscription: string): string {
  return `${base}/subscriptions/${subscription}/providers/Microsoft.Fake/locations/westus2/operations`
}

function typeOf(namespace: string, kind: string): string | undefined {
  return types.find((type) => type.toLowerCase() === `${namespace}/${kind}`.toLowerCase())
}

function matching(url: URL): (one: { tags: Record<string, string> }) => boolean {
  const filter = url.searchParams.get('$filter')
  const [, key, value] = /^tagName eq '(.*)' and tagValue eq '(.*)'$/.exec(filter ?? '') ?? []
  return ({ tags }) => key === undefined || tags[key] === value
}

/**
 * One request of each `every`, at another place each time: a client whose tries take as many requests each would
 * else meet it with the same one for ever.
 */
function isUnlucky(count: number, every: number): boolean {
  if (every === 0) return false
  const round = Math.floor(count / every)
  return count % every === (Math.imul(round, 0x9e3779b1) >>> 16) % every
}
