/** Answers in the resource manager's form. */
import type { CloudAnswer } from '../fault-gate.ts'
import type { Group, Operation, Resource } from './state.ts'

export function json(status: number, body: unknown, headers: Record<string, string> = {}): CloudAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: body === undefined ? '' : JSON.stringify(body),
  }
}

export function refusal(
  status: number,
  code: string,
  message = code,
  headers: Record<string, string> = {},
): CloudAnswer {
  return json(status, { error: { code, message } }, headers)
}

export const groupGone = (name: string) =>
  refusal(404, 'ResourceGroupNotFound', `Resource group '${name}' could not be found.`)
export const gone = (id: string) => refusal(404, 'ResourceNotFound', `The Resource '${id}' was not found.`)
export const empty = (): CloudAnswer => ({ status: 204, body: '' })

/** The answer to a call that began an operation. */
export function accepted(
  status: number,
  operation: Operation,
  base: string,
  { body, locationOnly, retryAfterS }: { body?: unknown; locationOnly: boolean; retryAfterS: number },
): CloudAnswer {
  const url = `${base}/${operation.id}?api-version=2026-01-01`
  return json(status, body, {
    'retry-after': `${retryAfterS}`,
    location: `${url}&result=1`,
    ...(!locationOnly && { 'azure-asyncoperation': url }),
  })
}

export function resourceBody({ id, name, type, location, tags, more, properties, createdMs }: Resource) {
  return {
    id,
    name,
    type,
    location,
    tags,
    ...more,
    properties,
    createdTime: new Date(createdMs).toISOString(),
  }
}

export function groupBody({ id, name, location, tags, isDeleting }: Group) {
  const provisioningState = isDeleting ? 'Deleting' : 'Succeeded'
  return {
    id,
    name,
    type: 'Microsoft.Resources/resourceGroups',
    location,
    tags,
    properties: { provisioningState },
  }
}
