/**
 * The security group: one for all machines of an owner in a VPC, made by the first and deleted with the last.
 * Groups that the user named are attached as they are.
 */
import { createHash } from 'node:crypto'
import type { IpPermission, SecurityGroup } from '@aws-sdk/client-ec2'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { MachineRecord } from '../../record.ts'
import { sharedTags, tagKeys } from '../tags.ts'
import { clearRefusal, creating, lookInDoubt } from './doubt.ts'
import { isLiving, machineIdOf } from './instance-state.ts'
import { codeOf } from './refusal.ts'
import { missingRules, wantedRules } from './rules.ts'
import { type Session, sharedTagSpecs, tagsOf } from './session.ts'
import { lookUntil } from './wait.ts'

export const groupStep = 'ec2.group'

/** The owner's name may hold what a group's name may not. */
export function groupName(record: MachineRecord): string {
  const owner = sharedTags(record)[tagKeys.owner]!
  return `tsmachine-${createHash('sha256').update(owner).digest('hex').slice(0, 12)}`
}

/** Ids of the groups to attach. */
export function groupIds({ made }: Session): string[] {
  return made.group ? [made.group.id] : (made.foreignGroups ?? [])
}

export function usesOwnGroup({ made }: Session): boolean {
  return (made.foreignGroups ?? []).length === 0
}

/** Whether it is there by now; in doubt that is asked again by making it, which is safe. */
export async function hasGroup(session: Session): Promise<boolean> {
  if (!usesOwnGroup(session)) return true
  const found = await find(session)
  if (found) remember(session, found.GroupId!)
  return found !== undefined
}

/** Finds it or makes it; two that do so at once get the same one. @throws E_EC2_FOREIGN */
export async function ensureGroup(session: Session, run: StepRun): Promise<void> {
  const { ec2, made, record } = session
  if (!usesOwnGroup(session)) return
  const there = await find(session)
  if (there) return remember(session, there.GroupId!)
  try {
    const { GroupId } = await creating(session, groupStep, (options) =>
      ec2.call(
        'CreateSecurityGroup',
        {
          GroupName: groupName(record),
          Description: 'Machines of tsmachine: SSH and engine from the allowed networks, all between them',
          VpcId: made.vpc,
          TagSpecifications: sharedTagSpecs(session, 'security-group'),
        },
        options,
      ),
    )
    remember(session, GroupId!)
  } catch (error) {
    // Of another machine, or of a request whose answer was lost.
    if (codeOf(error) !== 'InvalidGroup.Duplicate') throw error
    clearRefusal(session, groupStep)
    const found = await look(session, run)
    if (!found) throw waited(session, `the security group ${groupName(record)} to be shown`)
    remember(session, found.GroupId!)
  }
}

/** Whether the group has all rules that this machine wants. */
export async function hasRules(session: Session): Promise<boolean> {
  if (!usesOwnGroup(session)) return true
  const found = await find(session)
  return found !== undefined && missingRules(found.IpPermissions, wanted(session)).length === 0
}

/** Adds the rules that are missing, each in a call of its own: one that is there would refuse them all. */
export async function ensureRules(session: Session): Promise<void> {
  const { ec2, made, clock, settings } = session
  if (!usesOwnGroup(session)) return
  const found = await find(session)
  for (const rule of missingRules(found?.IpPermissions, wanted(session))) {
    const isAdded = await lookUntil({ clock, untilMs: clock.now() + settings.windowMs }, async () => {
      try {
        await ec2.call('AuthorizeSecurityGroupIngress', { GroupId: made.group!.id, IpPermissions: [rule] })
      } catch (error) {
        if (codeOf(error) === 'InvalidGroup.NotFound') return undefined
        if (codeOf(error) !== 'InvalidPermission.Duplicate') throw error
      }
      return true
    })
    if (!isAdded) throw waited(session, `the security group ${made.group!.id} to take rules`)
  }
}

function wanted({ made, settings }: Session): IpPermission[] {
  const { sshPort, openPorts } = settings
  return wantedRules({ group: made.group!.id, allowFrom: made.allowFrom ?? [], sshPort, openPorts })
}

/**
 * Deletes the group unless another machine is in it: whoever leaves last deletes it.
 * @throws E_EC2_LEFT where something else holds it
 */
export async function releaseGroup(session: Session, run: StepRun): Promise<void> {
  const { ec2, made, clock, settings, record } = session
  if (!usesOwnGroup(session)) return
  const found = await look(session, run)
  if (!found) {
    made.group = undefined
    return
  }
  const id = found.GroupId!
  const untilMs = clock.now() + Math.max(settings.windowMs, 60_000)
  const tell = (left: number) => run.progress(`${id} is held by what is going, waiting ${left} s at most`)
  const isReleased = await lookUntil({ clock, untilMs, tell }, async () => {
    try {
      await ec2.call('DeleteSecurityGroup', { GroupId: id })
      return true
    } catch (error) {
      if (codeOf(error) === 'InvalidGroup.NotFound') return true
      if (codeOf(error) !== 'DependencyViolation') throw error
      const holders = await livingIn(session, id)
      if (holders.includes(record.id))
        throw fail('E_EC2_LEFT', { what: `security group ${id}`, why: 'the instance is still there' })
      return holders.length > 0 ? true : undefined
    }
  })
  if (!isReleased)
    throw fail('E_EC2_LEFT', { what: `security group ${id}`, why: 'something that is no machine is in it' })
  made.group = undefined
}

/** Ids of the machines whose instances are in the group and stay. */
async function livingIn({ ec2 }: Session, group: string): Promise<string[]> {
  const { Reservations = [] } = await ec2.call('DescribeInstances', {
    Filters: [{ Name: 'instance.group-id', Values: [group] }],
  })
  return Reservations.flatMap(({ Instances = [] }) => Instances)
    .filter(isLiving)
    .map((instance) => machineIdOf(instance) ?? 'no machine')
}

function look(session: Session, run: StepRun): Promise<SecurityGroup | undefined> {
  const what = `the security group ${groupName(session.record)}`
  return lookInDoubt(session, { step: groupStep, born: session.made.group?.at, what, run }, () =>
    find(session),
  )
}

async function find({ ec2, made, record }: Session): Promise<SecurityGroup | undefined> {
  const { SecurityGroups = [] } = await ec2.call('DescribeSecurityGroups', {
    Filters: [
      { Name: 'group-name', Values: [groupName(record)] },
      ...(made.vpc === undefined ? [] : [{ Name: 'vpc-id', Values: [made.vpc] }]),
    ],
  })
  const [group] = SecurityGroups
  if (group && tagsOf(group.Tags)[tagKeys.owner] !== sharedTags(record)[tagKeys.owner])
    throw fail('E_EC2_FOREIGN', { what: `a security group ${groupName(record)}` })
  return group
}

function remember({ made, clock }: Session, id: string): void {
  if (made.group?.id !== id) made.group = { id, at: clock.now() }
}

function waited({ settings }: Session, what: string): Error {
  return fail('E_EC2_WAIT', { what, seconds: settings.windowMs / 1000 })
}
