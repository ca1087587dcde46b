/** How the host is reached: the instance's own address, or an elastic one that stays the same. */
import type { Address } from '@aws-sdk/client-ec2'
import { isFailure } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import { tagKeys } from '../tags.ts'
import { creating, lookInDoubt } from './doubt.ts'
import { waitForInstance } from './instance.ts'
import { addressOf } from './instance-state.ts'
import { codeOf } from './refusal.ts'
import { type Session, tagSpecs } from './session.ts'
import { lookUntil } from './wait.ts'

export const addressStep = 'ec2.address'

const mostDoubts = 5

/**
 * Whether the host's address is known and holds. Asked only in doubt: an elastic address that an earlier run may
 * have allocated is looked for as long as the cloud may hide it.
 */
export async function hasAddress(session: Session, run: StepRun): Promise<boolean> {
  if (!session.settings.wantsElasticIp) return false
  const found = await lookInDoubt(session, inDoubt(session, run), () => findElastic(session))
  if (found) remember(session, found)
  // What follows the allocation is quick and safe to repeat.
  return false
}

/** Waits until the instance runs, and finds or gives it its address. @returns the host to connect to */
export async function settleAddress(session: Session, run: StepRun): Promise<string> {
  const { settings } = session
  if (settings.wantsElasticIp) {
    await waitForInstance(
      session,
      { what: 'the instance to run', run },
      ({ State }) => State?.Name === 'running',
    )
    await allocate(session, run)
    await associate(session)
  }
  const { reachBy } = settings
  const expected = settings.wantsElasticIp && reachBy === 'public' ? session.made.address?.ip : undefined
  const instance = await waitForInstance(session, { what: 'the instance to run', run }, (one) => {
    const address = addressOf(one, reachBy)
    return (
      one.State?.Name === 'running' &&
      address !== undefined &&
      (expected === undefined || address === expected)
    )
  })
  return addressOf(instance, reachBy)!
}

async function allocate(session: Session, run: StepRun): Promise<void> {
  const { ec2, made } = session
  for (let doubts = 0; !made.address; ) {
    try {
      const made = await creating(session, addressStep, (options) =>
        ec2.call(
          'AllocateAddress',
          { Domain: 'vpc', TagSpecifications: tagSpecs(session, 'elastic-ip') },
          { ...options, once: true },
        ),
      )
      remember(session, made)
    } catch (error) {
      if (!isFailure(error, 'E_EC2_SILENT')) throw error
      const found = await lookInDoubt(session, inDoubt(session, run), () => findElastic(session))
      if (found) remember(session, found)
      else if (++doubts === mostDoubts) throw error
    }
  }
}

async function associate(session: Session): Promise<void> {
  const { ec2, made, clock, settings } = session
  const isDone = await lookUntil({ clock, untilMs: clock.now() + settings.windowMs }, async () => {
    try {
      await ec2.call('AssociateAddress', {
        AllocationId: made.address!.id,
        InstanceId: made.instance!.id,
        AllowReassociation: true,
      })
      return true
    } catch (error) {
      // Not shown yet, either of the two.
      if (/^Invalid(AllocationID|InstanceID)\.NotFound$/.test(codeOf(error) ?? '')) return undefined
      throw error
    }
  })
  if (!isDone)
    throw fail('E_EC2_WAIT', { what: `${made.address!.id} to be shown`, seconds: settings.windowMs / 1000 })
}

/** Gives an elastic address back. @throws E_EC2_LEFT where the cloud doesn't take it */
export async function releaseAddress(session: Session, run: StepRun): Promise<void> {
  const { ec2, made, clock, settings } = session
  if (!settings.wantsElasticIp) return
  const untilMs = clock.now() + Math.max(settings.windowMs, 60_000)
  const found = await lookInDoubt(session, inDoubt(session, run), () => findElastic(session))
  if (found) {
    const isReleased = await lookUntil({ clock, untilMs }, async () => {
      const now = await findElastic(session)
      if (!now) return true
      try {
        if (now.AssociationId) await ec2.call('DisassociateAddress', { AssociationId: now.AssociationId })
        await ec2.call('ReleaseAddress', { AllocationId: now.AllocationId })
        return true
      } catch (error) {
        if (codeOf(error) === 'InvalidAllocationID.NotFound') return true
        // It was taken away meanwhile, or is still being.
        if (['InvalidAssociationID.NotFound', 'InvalidIPAddress.InUse'].includes(codeOf(error) ?? ''))
          return undefined
        throw error
      }
    })
    if (!isReleased)
      throw fail('E_EC2_LEFT', { what: `elastic address ${found.PublicIp}`, why: 'it can’t be released' })
  }
  made.address = undefined
}

function inDoubt({ made }: Session, run: StepRun) {
  return { step: addressStep, born: made.address?.at, what: 'an elastic address with its tags', run }
}

async function findElastic({ ec2, record }: Session): Promise<Address | undefined> {
  const { Addresses = [] } = await ec2.call('DescribeAddresses', {
    Filters: [{ Name: `tag:${tagKeys.id}`, Values: [record.id] }],
  })
  return Addresses[0]
}

function remember({ made, clock }: Session, { AllocationId = '', PublicIp = '' }: Address): void {
  if (made.address?.id === AllocationId) return
  made.address = { id: AllocationId, at: clock.now(), ip: PublicIp }
}
