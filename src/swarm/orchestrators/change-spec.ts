import type { AddressCursors } from '../allocator/addresses.ts'
import { allocateEndpoint } from '../allocator/services.ts'
import type { Draft, New } from '../store/draft.ts'
import type { Service, ServiceSpec } from '../store/objects/service.ts'
import { templateOf } from '../store/objects/template.ts'

/**
 * Gives a service, new or old, a spec that was checked before: its template, ports and virtual addresses
 * follow in the same transaction.
 * @throws what allocateEndpoint throws; nothing is drafted that a caller who lets it through would commit
 */
export function changeSpec(
  draft: Draft,
  cursors: AddressCursors,
  service: New<Service>,
  spec: ServiceSpec,
  options: { keepPrevious: boolean },
): void {
  const template = templateOf(spec)
  // Written also when it is there: who is about to delete it as unused finds it changed and looks again.
  draft.put('template', template)
  const { PreviousSpec: _, ...rest } = service
  draft.put('service', {
    ...rest,
    Spec: spec,
    TemplateID: template.ID,
    Endpoint: allocateEndpoint(draft, cursors, service.ID, spec, service.Endpoint),
    ...(options.keepPrevious && { PreviousSpec: service.Spec }),
  })
}
