/**
 * What every resource in a cloud carries from the call that makes it: whose it is, and which machine's. By these
 * tags a create that was cut short finds its own again, and `gc` what nobody's record knows.
 */
import { hostname, userInfo } from 'node:os'
import type { MachineRecord } from '../record.ts'

export const tagKeys = {
  id: 'tsmachine:id',
  name: 'tsmachine:name',
  owner: 'tsmachine:owner',
  /** ISO 8601; only where the machine was given a time to live. */
  expires: 'tsmachine:expires',
} as const

/** The tags of everything that is made for this machine alone. */
export function machineTags({ id, name, owner, expires }: MachineRecord): Record<string, string> {
  return {
    [tagKeys.id]: id,
    [tagKeys.name]: name,
    [tagKeys.owner]: owner ?? ownerOfThisClient(),
    ...(expires !== undefined && { [tagKeys.expires]: expires }),
  }
}

/** The tags of what several machines of an owner share, such as a firewall: no machine's id is on it. */
export function sharedTags({ owner }: MachineRecord): Record<string, string> {
  return { [tagKeys.owner]: owner ?? ownerOfThisClient() }
}

/** A name for what is made for this machine alone: unique, and the same in every run. */
export function resourceName({ id }: Pick<MachineRecord, 'id'>, kind?: string): string {
  return kind === undefined ? `tsmachine-${id}` : `tsmachine-${id}-${kind}`
}

/** USER@HOST of whoever makes machines here, in characters that every cloud takes. */
export function ownerOfThisClient(): string {
  return `${userInfo().username}@${hostname()}`.replace(/[^\w.@-]/g, '-').slice(0, 100)
}
