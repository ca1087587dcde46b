/**
 * What a task runs, once for all tasks that run the same: tasks name it by its digest, so that a task's row
 * stays small, "is this task up to date?" compares two strings, and going back to an old spec finds its
 * tasks still right.
 */
import { createHash } from 'node:crypto'
import type { Meta } from './meta.ts'
import type { PortConfig, ServiceSpec } from './service.ts'
import type { TaskSpec } from './task-spec.ts'

export interface TemplateContent {
  Spec: TaskSpec
  /** Ports in host mode: they belong to the task, those in ingress mode to the service. */
  HostPorts: PortConfig[]
  /** True when tasks need an address on the ingress network. */
  Ingress: boolean
  /** Digest of the rest but the placement: who moves the goalposts only doesn't replace those who meet them. */
  Core: string
}

export interface Template extends Meta, TemplateContent {}

/** What the tasks of a service with this spec run. Networks are named by id in it already. */
export function templateOf(spec: ServiceSpec): TemplateContent & { ID: string } {
  const ports = spec.EndpointSpec?.Ports ?? []
  const content = {
    Spec: spec.TaskTemplate,
    HostPorts: ports.filter((port) => port.PublishMode === 'host'),
    Ingress: ports.some((port) => port.PublishMode === 'ingress'),
  }
  const Core = digest({ ...content, Spec: { ...content.Spec, Placement: undefined } })
  return { ID: digest(content), ...content, Core }
}

/** Equal contents have equal digests, whatever the order of their keys. */
function digest(content: object): string {
  return createHash('sha256').update(canonicalJson(content)).digest('hex').slice(0, 32)
}

/** JSON with sorted keys and without undefined members. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}
