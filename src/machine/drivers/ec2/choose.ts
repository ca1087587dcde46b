/**
 * The first step: everything is looked up and written down before anything is made, so that a create that is
 * resumed makes the same thing, whatever has become newest in the meantime.
 */

import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import { findImage } from './image.ts'
import type { ChosenType } from './made.ts'
import { chooseNetwork } from './network.ts'
import { codeOf } from './refusal.ts'
import type { Session } from './session.ts'
import { cidrOf } from './settings.ts'

/** @throws E_EC2_MISSING, E_OPTION where the caller's address can't be learned */
export async function choose(
  session: Session,
  { signal, progress }: StepRun,
  learnAddress: (signal: AbortSignal) => Promise<string>,
): Promise<void> {
  const { made, settings } = session
  const types = await typesOf(session)
  const images = Object.fromEntries(
    await Promise.all(
      [...new Set(types.map(({ architecture }) => architecture))].map(
        async (architecture) => [architecture, await findImage(session, architecture)] as const,
      ),
    ),
  )
  const network = await chooseNetwork(session)
  const foreignGroups = await groupsNamed(session, network.vpc)
  const allowFrom =
    settings.groups.length > 0 || settings.allowFrom.length > 0
      ? settings.allowFrom
      : [await callersNetwork(learnAddress, signal)]
  Object.assign(made, { ...network, types, images, allowFrom, foreignGroups })
  const image = images[types[0]!.architecture]!
  progress(`${types[0]!.name} with ${image.name} in ${network.subnets[0]!.zone}`)
}

async function callersNetwork(
  learnAddress: (signal: AbortSignal) => Promise<string>,
  signal: AbortSignal,
): Promise<string> {
  try {
    return cidrOf((await learnAddress(signal)).trim())
  } catch (error) {
    signal.throwIfAborted()
    const why = 'it must be given: this client’s own address could not be learned'
    throw fail('E_OPTION', { option: '--ec2-allow-from', why }, error)
  }
}

async function typesOf({ ec2, settings, region }: Session): Promise<ChosenType[]> {
  try {
    const { InstanceTypes = [] } = await ec2.call('DescribeInstanceTypes', {
      // The SDK knows the types of its own day only.
      InstanceTypes: settings.types as never[],
    })
    return settings.types.map((name) => {
      const found = InstanceTypes.find(({ InstanceType }) => InstanceType === name)
      const offered = found?.ProcessorInfo?.SupportedArchitectures ?? []
      const architecture = ['x86_64', 'arm64'].find((one) => offered.includes(one as never))
      if (!architecture) throw fail('E_EC2_MISSING', { what: `64-bit instance type ${name}`, region })
      return { name, architecture }
    })
  } catch (error) {
    if (codeOf(error) !== 'InvalidInstanceType') throw error
    throw fail('E_EC2_MISSING', { what: `instance type ${settings.types.join(', ')}`, region }, error)
  }
}

/** Ids of the user's own groups, which are named by id or by name. */
async function groupsNamed({ ec2, settings, region }: Session, vpc: string): Promise<string[]> {
  if (settings.groups.length === 0) return []
  const { SecurityGroups = [] } = await ec2.call('DescribeSecurityGroups', {
    Filters: [{ Name: 'vpc-id', Values: [vpc] }],
  })
  return settings.groups.map((wanted) => {
    const found = SecurityGroups.find(({ GroupId, GroupName }) => GroupId === wanted || GroupName === wanted)
    if (!found?.GroupId) throw fail('E_EC2_MISSING', { what: `security group ${wanted} of ${vpc}`, region })
    return found.GroupId
  })
}
