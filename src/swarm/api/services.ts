/**
 * Services and tasks: create, read, update, delete.
 */
import { releaseEndpoint } from '../allocator/services.ts'
import { fail } from '../errors.ts'
import type { Manager } from '../manager.ts'
import { changeSpec } from '../orchestrators/change-spec.ts'
import { modeOf } from '../orchestrators/service.ts'
import { claims } from '../store/objects/kinds.ts'
import type { ServiceSpec } from '../store/objects/service.ts'
import { type TaskState, taskName, taskStates } from '../store/objects/task.ts'
import { type Filters, isTrue, passes, passesLabels } from './filters.ts'
import { assertVersion, findOne } from './find.ts'
import { isCurrent, presentService, presentTask } from './present.ts'
import { completeSpec } from './service-spec.ts'

export const serviceFilters = ['id', 'label', 'mode', 'name', 'runtime']
export const taskFilters = [
  'id',
  'label',
  'name',
  'node',
  'service',
  'desired-state',
  '_up-to-date',
  'runtime',
]

/** @returns the new service's id @throws E_SPEC_INVALID and what completeSpec throws, E_NAME_TAKEN, E_PORT_TAKEN */
export async function createService(manager: Manager, body: Partial<ServiceSpec>): Promise<string> {
  const { database, cursors, context } = manager
  const id = context.newId()
  await database.transact((draft) => {
    const spec = completeSpec(draft.view, body)
    if (!draft.claim(claims.serviceName(spec.Name), id)) {
      throw fail('E_NAME_TAKEN', { kind: 'service', name: spec.Name })
    }
    changeSpec(draft, cursors, { ID: id, Spec: spec, TemplateID: '', Endpoint: {} }, spec, {
      keepPrevious: false,
    })
  })
  return id
}

export interface ServiceUpdate {
  version: number
  /** The spec to go to; undefined goes back to the previous one. */
  spec: Partial<ServiceSpec> | undefined
}

/** @throws E_OUT_OF_SEQUENCE, E_OBJECT_UNKNOWN, and what createService throws */
export async function updateService(manager: Manager, ref: string, update: ServiceUpdate): Promise<void> {
  const { database, cursors } = manager
  await database.transact((draft) => {
    const service = draft.get('service', findOne(draft.view, 'service', ref).ID)!
    assertVersion(service, update.version)
    const { UpdateStatus: _, ...rest } = service
    if (update.spec === undefined) {
      if (!service.PreviousSpec)
        throw fail('E_SPEC_INVALID', { why: `service ${service.Spec.Name} does not have a previous spec` })
      const UpdateStatus = {
        State: 'rollback_started' as const,
        StartedAt: draft.now,
        Message: 'manually requested rollback',
      }
      changeSpec(draft, cursors, { ...rest, UpdateStatus }, service.PreviousSpec, { keepPrevious: false })
      return
    }
    const spec = completeSpec(draft.view, update.spec)
    if (spec.Name !== service.Spec.Name) throw fail('E_UNSUPPORTED', { what: 'renaming services' })
    if (modeOf({ Spec: spec }) !== modeOf(service))
      throw fail('E_SPEC_INVALID', { why: 'service mode change is not allowed' })
    changeSpec(draft, cursors, rest, spec, { keepPrevious: true })
  })
}

/** Its tasks stop by themselves. @throws E_OBJECT_UNKNOWN */
export async function removeService(manager: Manager, ref: string): Promise<void> {
  await manager.database.transact((draft) => {
    const service = draft.get('service', findOne(draft.view, 'service', ref).ID)!
    releaseEndpoint(draft, service)
    draft.release(claims.serviceName(service.Spec.Name), service.ID)
    draft.delete('service', service.ID)
  })
}

export function listServices(manager: Manager, filters: Filters, withStatus: boolean) {
  const view = manager.database.replica
  return [...view.all('service')]
    .filter(
      (service) =>
        passes(filters, 'id', (id) => service.ID.startsWith(id)) &&
        passes(filters, 'name', (name) => service.Spec.Name.startsWith(name)) &&
        passes(filters, 'mode', (mode) => modeOf(service) === mode) &&
        passesLabels(filters, 'label', service.Spec.Labels),
    )
    .map((service) => presentService(view, service, withStatus))
}

export function inspectService(manager: Manager, ref: string) {
  const view = manager.database.replica
  return presentService(view, findOne(view, 'service', ref), false)
}

export function listTasks(manager: Manager, filters: Filters) {
  const view = manager.database.replica
  for (const state of filters.get('desired-state') ?? []) {
    if (!taskStates.includes(state as TaskState))
      throw fail('E_FILTER_INVALID', { filter: `desired-state=${state}` })
  }
  const [upToDate] = filters.get('_up-to-date') ?? []
  return [...view.all('task')]
    .filter((task) => {
      const service = view.get('service', task.ServiceID)
      const node = view.get('node', task.NodeID)
      return (
        passes(filters, 'id', (id) => task.ID.startsWith(id)) &&
        passes(filters, 'service', (ref) => task.ServiceID === ref || service?.Spec.Name === ref) &&
        passes(
          filters,
          'node',
          (ref) => task.NodeID === ref || (node && node.Description?.Hostname === ref) === true,
        ) &&
        passes(filters, 'name', (name) =>
          taskName(service?.Spec.Name ?? task.ServiceID, task).startsWith(name),
        ) &&
        passesLabels(filters, 'label', service?.Spec.Labels) &&
        (upToDate === undefined || isCurrent(view, task) === isTrue(upToDate))
      )
    })
    .map((task) => presentTask(view, task))
    .filter((task) => passes(filters, 'desired-state', (state) => task.DesiredState === state))
}

/** @throws E_OBJECT_UNKNOWN */
export function inspectTask(manager: Manager, ref: string) {
  const view = manager.database.replica
  const exact = view.get('task', ref)
  if (exact) return presentTask(view, exact)
  const [task, ...others] = ref === '' ? [] : [...view.all('task')].filter(({ ID }) => ID.startsWith(ref))
  if (!task) throw fail('E_OBJECT_UNKNOWN', { kind: 'task', ref })
  if (others.length > 0) throw fail('E_OBJECT_AMBIGUOUS', { kind: 'task', ref, count: others.length + 1 })
  return presentTask(view, task)
}
