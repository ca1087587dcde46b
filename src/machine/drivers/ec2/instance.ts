/**
 * The instance: launched once, whatever gets lost; found again by its tags; terminated until it is terminated.
 */
import type { Instance } from '@aws-sdk/client-ec2'
import { isFailure } from '../../../shared/errors.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import { tagKeys } from '../tags.ts'
import { type Candidate, candidatesOf, describeCandidate } from './candidates.ts'
import { creating, lookInDoubt } from './doubt.ts'
import { ensureGroup, ensureRules } from './group.ts'
import { deathOf, isLiving } from './instance-state.ts'
import { launchRequest } from './launch-request.ts'
import { codeOf, isElsewhere } from './refusal.ts'
import type { Session } from './session.ts'
import { lookUntil, sleep } from './wait.ts'

export const launchStep = 'ec2.launch'

/** How often one candidate is launched anew where its instance ended, or where nobody knows. */
const mostAttempts = 5
/** Pause before a launch that a part not yet shown has refused is repeated. */
const settleMs = 2_000
/** Booting takes seconds; stopping, and terminating, up to some minutes. */
const changeMs = 10 * 60_000

/** All instances of this machine that EC2 shows by now: those with its id on them, and the recorded one. */
async function findInstances(session: Session): Promise<Instance[]> {
  const { ec2, record, made } = session
  const { Reservations = [] } = await ec2.call('DescribeInstances', {
    Filters: [{ Name: `tag:${tagKeys.id}`, Values: [record.id] }],
  })
  const tagged = Reservations.flatMap(({ Instances = [] }) => Instances)
  if (!made.instance || tagged.some(({ InstanceId }) => InstanceId === made.instance?.id)) return tagged
  // Somebody may have taken the tags off it.
  const recorded = await describeInstance(session)
  return recorded ? [...tagged, recorded] : tagged
}

/** The one that lives, or undefined. */
async function findLiving(session: Session): Promise<Instance | undefined> {
  return (await findInstances(session)).find(isLiving)
}

/**
 * Whether an instance of this machine lives. Asked only in doubt, so it looks as long as the cloud may hide one:
 * after a "no" it is safe to launch.
 */
export async function hasInstance(session: Session, run: StepRun): Promise<boolean> {
  const found = await lookInDoubt(session, inDoubt(session, run), () => findLiving(session))
  if (found) remember(session, found)
  return found !== undefined
}

function inDoubt({ made }: Session, run: StepRun) {
  return { step: launchStep, born: made.instance?.at, what: 'an instance with its tags', run }
}

/**
 * Launches the first candidate that there is room for.
 * @throws E_EC2_CAPACITY where there is none
 */
export async function launch(session: Session, userData: Uint8Array, run: StepRun): Promise<void> {
  const tried: string[] = []
  for (const candidate of candidatesOf(session.made, session.settings)) {
    run.progress(describeCandidate(candidate))
    run.signal.throwIfAborted()
    try {
      return remember(session, await launchOne(session, candidate, userData, run))
    } catch (error) {
      if (!isElsewhere(error)) throw error
      tried.push(`${describeCandidate(candidate)}: ${codeOf(error)}`)
    }
  }
  throw fail('E_EC2_CAPACITY', { tried })
}

async function launchOne(
  session: Session,
  candidate: Candidate,
  userData: Uint8Array,
  run: StepRun,
): Promise<Instance> {
  const { ec2, clock, settings } = session
  const giveUpMs = clock.now() + Math.max(2 * settings.windowMs, 60_000)
  for (let attempt = 0, doubts = 0; ; ) {
    try {
      const { Instances } = await creating(session, launchStep, (options) =>
        ec2.call('RunInstances', launchRequest(session, { candidate, attempt, userData }), {
          ...options,
          once: true,
        }),
      )
      const instance = Instances![0]!
      if (isLiving(instance)) return instance
      // The token's instance is one that has ended.
      if (++attempt === mostAttempts)
        throw fail('E_EC2_DIED', { instance: instance.InstanceId ?? '', why: deathOf(instance) })
    } catch (error) {
      if (isFailure(error, 'E_EC2_SILENT')) {
        const found = await lookInDoubt(session, inDoubt(session, run), () => findLiving(session))
        if (found) return found
        if (++doubts === mostAttempts) throw error
      } else if (codeOf(error) === 'IdempotentParameterMismatch' && attempt < mostAttempts) attempt++
      else if (isNotShownYet(error) && clock.now() < giveUpMs) {
        await sleep(clock, settleMs, run.signal)
        // Another machine of the owner may have deleted the group with its own end.
        if (codeOf(error) === 'InvalidGroup.NotFound') {
          await ensureGroup(session, run)
          await ensureRules(session)
        }
      } else throw error
    }
  }
}

function isNotShownYet(error: unknown): boolean {
  return ['InvalidGroup.NotFound', 'InvalidKeyPair.NotFound'].includes(codeOf(error) ?? '')
}

function remember({ made, clock }: Session, instance: Instance): void {
  const { InstanceId = '', InstanceType = '', Placement, InstanceLifecycle } = instance
  made.instance = {
    id: InstanceId,
    at: made.instance?.id === InstanceId ? made.instance.at : clock.now(),
    type: InstanceType,
    zone: Placement?.AvailabilityZone ?? '',
    isSpot: InstanceLifecycle === 'spot',
  }
}

/** The recorded instance as EC2 shows it now; undefined where it doesn't. */
export async function describeInstance({ ec2, made }: Session): Promise<Instance | undefined> {
  if (!made.instance) return undefined
  // By a filter: an id that is not shown would be an error.
  const { Reservations = [] } = await ec2.call('DescribeInstances', {
    Filters: [{ Name: 'instance-id', Values: [made.instance.id] }],
  })
  return Reservations[0]?.Instances?.[0]
}

/**
 * Waits until the instance is as wanted.
 * @throws E_EC2_DIED when it ends instead, E_EC2_WAIT when the time is over
 */
export async function waitForInstance(
  session: Session,
  { what, run }: { what: string; run: StepRun },
  isRight: (instance: Instance) => boolean,
): Promise<Instance> {
  const { clock, made } = session
  const tell = (left: number) => run.progress(`waiting for ${what}, ${left} s at most`)
  const untilMs = clock.now() + changeMs
  const found = await lookUntil({ clock, untilMs, signal: run.signal, tell }, async () => {
    const instance = await describeInstance(session)
    if (!instance) return undefined
    if (!isLiving(instance))
      throw fail('E_EC2_DIED', { instance: instance.InstanceId ?? '', why: deathOf(instance) })
    return isRight(instance) ? instance : undefined
  })
  if (!found) throw fail('E_EC2_WAIT', { what: `${made.instance?.id}: ${what}`, seconds: changeMs / 1000 })
  return found
}

/**
 * Terminates all that this machine has, and waits until it is terminated: its network interface holds the group.
 * @throws E_EC2_LEFT where that can't be made sure
 */
export async function terminate(session: Session, run: StepRun): Promise<void> {
  const { ec2, made, clock } = session
  const isShown = async () => {
    const found = await findInstances(session)
    const isKnownThere = made.instance && found.some(({ InstanceId }) => InstanceId === made.instance?.id)
    return isKnownThere || (!made.instance && found.some(isLiving)) ? found : undefined
  }
  await lookInDoubt(session, inDoubt(session, run), isShown)
  const untilMs = clock.now() + changeMs
  const tell = (left: number) => run.progress(`waiting until it is terminated, ${left} s at most`)
  const isGone = await lookUntil({ clock, untilMs, tell }, async () => {
    const found = await findInstances(session)
    const living = found.filter(isLiving).map(({ InstanceId = '' }) => InstanceId)
    if (living.length > 0) await ec2.call('TerminateInstances', { InstanceIds: living })
    return found.every(({ State }) => State?.Name === 'terminated') || undefined
  })
  if (!isGone) {
    const what = `instance ${made.instance?.id ?? `with the tag ${tagKeys.id}=${session.record.id}`}`
    throw fail('E_EC2_LEFT', { what, why: 'it does not terminate' })
  }
  made.instance = undefined
}
