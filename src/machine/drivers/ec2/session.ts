/** What the steps of one machine work with: the client for its account and region, and its record. */
import type { TagSpecification } from '@aws-sdk/client-ec2'
import type { Clock } from '../../../shared/clock.ts'
import { fail } from '../../errors.ts'
import type { MachineRecord } from '../../record.ts'
import { machineTags, sharedTags } from '../tags.ts'
import type { Ec2Client } from './client.ts'
import { type Made, madeOf } from './made.ts'
import { codeOf } from './refusal.ts'
import type { Settings } from './settings.ts'

export interface Session {
  ec2: Ec2Client
  clock: Clock
  record: MachineRecord
  made: Made
  settings: Settings
  /** Where it is: the region's name, once chosen. */
  region: string
}

export type TaggedKind = NonNullable<TagSpecification['ResourceType']>

/** The tags, for a call that makes things of these kinds for this machine alone. */
export function tagSpecs({ record, settings }: Session, ...kinds: TaggedKind[]): TagSpecification[] {
  const tags = { Name: record.name, ...settings.tags, ...machineTags(record) }
  return kinds.map((kind) => ({ ResourceType: kind, Tags: tagList(tags) }))
}

/** The same, for what an owner's machines share. */
export function sharedTagSpecs({ record }: Session, kind: TaggedKind): TagSpecification[] {
  return [{ ResourceType: kind, Tags: tagList(sharedTags(record)) }]
}

function tagList(tags: Record<string, string>) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}

export function tagsOf(list: { Key?: string; Value?: string }[] | undefined): Record<string, string> {
  return Object.fromEntries((list ?? []).map(({ Key = '', Value = '' }) => [Key, Value]))
}

/**
 * Another account's credentials see nothing of this machine: then "not found" would be taken for "gone". The VPC
 * outlives everything in it, so whoever sees it is at the right place.
 * @throws E_EC2_ACCOUNT
 */
export async function requireSameAccount({ ec2, record, region }: Session): Promise<void> {
  const { vpc } = madeOf(record)
  if (vpc === undefined) return
  try {
    await ec2.call('DescribeVpcs', { VpcIds: [vpc] })
  } catch (error) {
    if (codeOf(error) !== 'InvalidVpcID.NotFound') throw error
    throw fail('E_EC2_ACCOUNT', { name: record.name, vpc, region }, error)
  }
}
