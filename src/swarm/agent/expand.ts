/**
 * Placeholders in a service's environment, hostname and mounts: `{{.Task.Slot}}` and the like, as Swarm has
 * them. Only these names, and labels by `{{index .Service.Labels "KEY"}}`: no other part of Go's templates.
 */
import type { Labels } from '../store/objects/meta.ts'

export interface Placeholders {
  'Service.ID': string
  'Service.Name': string
  'Node.ID': string
  'Node.Hostname': string
  'Node.Platform.Architecture': string
  'Node.Platform.OS': string
  'Task.ID': string
  'Task.Name': string
  'Task.Slot': string
}

/** @throws Error that names the placeholder that doesn't exist */
export function expand(text: string, values: Placeholders, serviceLabels: Labels): string {
  return text.replace(/\{\{(.*?)\}\}/g, (whole, inside: string) => {
    const name = inside.trim()
    const indexed = /^index\s+\.Service\.Labels\s+"([^"]*)"$/.exec(name)?.[1]
    const label = indexed ?? /^\.Service\.Labels\.([\w-]+)$/.exec(name)?.[1]
    if (label !== undefined) return serviceLabels[label] ?? ''
    const key = name.slice(1)
    if (name.startsWith('.') && Object.hasOwn(values, key)) return values[key as keyof Placeholders]
    throw new Error(`no such placeholder: ${whole}`)
  })
}
