/**
 * The EC2 driver: an instance with a key pair, a security group and, on demand, an elastic address.
 *
 * What it promises: one creating call a step, its intent in the journal before it; everything is tagged in the call
 * that makes it; names and tokens derive from the machine's id. So whatever gets lost, the next run finds by tag,
 * name or token what was made, makes nothing twice, and taking the steps back leaves nothing.
 */
import { type Clock, systemClock } from '../../../shared/clock.ts'
import { readUserData } from '../../cloud-init/user-data.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { DriverOptions } from '../../record.ts'
import type { Driver, DriverContext, Power } from '../driver.ts'
import { addressStep, hasAddress, releaseAddress, settleAddress } from './address.ts'
import { learnCallersAddress } from './caller.ts'
import { choose } from './choose.ts'
import { Clients, type ClientsOptions } from './clients.ts'
import { consoleTail } from './console.ts'
import { clearRefusal } from './doubt.ts'
import { ensureGroup, ensureRules, groupName, groupStep, hasGroup, hasRules, releaseGroup } from './group.ts'
import { describeInstance, hasInstance, launch, launchStep, terminate } from './instance.ts'
import { deleteKey, hasKey, importKey, keyName, keyStep } from './key.ts'
import { madeOf } from './made.ts'
import { observeMany, seen } from './observe-many.ts'
import { rebootInstance, startInstance, stopInstance, writeAddress } from './power.ts'
import { requireSameAccount, type Session } from './session.ts'
import { settingsOf } from './settings.ts'
import { findTagged } from './tagged.ts'
import { hostKeys, userData, userKey } from './user-data.ts'

export interface Ec2DriverOptions extends Partial<ClientsOptions> {
  /** This client's public address, for the rules of the security group. */
  learnAddress?: (signal: AbortSignal) => Promise<string>
}

/** A driver of its own, with clients of its own; tests give it their clock, `tsmachine prove` its faults. */
export function createEc2Driver(options: Ec2DriverOptions = {}): Driver {
  const { learnAddress = learnCallersAddress } = options
  const clock: Clock = options.clock ?? systemClock
  const clients = new Clients({ requestMs: 60_000, random: Math.random, ...options, clock })
  const session = (context: Pick<DriverContext, 'record'>) => clients.session(context.record)
  const power =
    (act: (session: Session, context: DriverContext, run: StepRun) => Promise<void>): Power =>
    async (context, run) =>
      act(await session(context), context, run)
  // What an earlier try of a step was told no longer counts once it is looked at anew, or taken back: the next
  // intent must not be written beside it.
  const probing =
    (step: string, look: (session: Session, run: StepRun) => Promise<boolean>) =>
    async (context: DriverContext, run: StepRun) => {
      clearRefusal({ made: madeOf(context.record) }, step)
      return look(await session(context), run)
    }
  const undoing =
    (step: string, undo: (session: Session, run: StepRun) => Promise<void>) =>
    async (context: DriverContext, run: StepRun) => {
      const own = await session(context)
      await requireSameAccount(own)
      await undo(own, run)
      clearRefusal(own, step)
    }

  return {
    check,
    ownsHost: true,
    steps: [
      {
        id: 'ec2.choose',
        describe: () => 'Choose image, network and zone',
        probe: async ({ record }) => madeOf(record).vpc !== undefined,
        do: async (context, run) => choose(await session(context), run, learnAddress),
      },
      {
        id: keyStep,
        describe: ({ record }) =>
          `Import the key pair ${keyName({ record, settings: settingsOf(record.options) })}`,
        probe: probing(keyStep, hasKey),
        do: async (context, run) => importKey(await session(context), (await userKey(context)).public, run),
        undo: undoing(keyStep, deleteKey),
      },
      {
        id: groupStep,
        describe: ({ record }) => `Find or make the security group ${groupName(record)}`,
        probe: probing(groupStep, hasGroup),
        do: async (context, run) => ensureGroup(await session(context), run),
        undo: undoing(groupStep, releaseGroup),
      },
      {
        id: 'ec2.rules',
        describe: ({ record }) =>
          `Let in ${(madeOf(record).allowFrom ?? []).join(', ') || 'what its groups let in'}`,
        probe: async (context) => hasRules(await session(context)),
        do: async (context) => ensureRules(await session(context)),
      },
      {
        id: launchStep,
        describe: ({ record }) => `Launch an instance for ${record.name}`,
        probe: probing(launchStep, hasInstance),
        do: async (context, run) => launch(await session(context), await userData(context), run),
        undo: undoing(launchStep, terminate),
      },
      {
        id: addressStep,
        describe: () => 'Wait until it runs, and find its address',
        probe: probing(addressStep, hasAddress),
        do: async (context, run) => {
          const own = await session(context)
          const host = await settleAddress(own, run)
          const { sshPort: port, sshUser: user } = own.settings
          const keyPath = context.paths.userKey
          context.record.ssh = { host, port, user, keyPath, hostKeys: await hostKeys(context) }
          writeAddress(context, host)
        },
        undo: undoing(addressStep, releaseAddress),
      },
      {
        id: 'ec2.reach',
        describe: ({ record }) => `Wait for SSH on ${record.ssh?.host ?? 'it'}`,
        // Asked of the host and not of the cloud; cheap when it answers.
        probe: async () => false,
        do: async (context, run) => reach(context, await session(context), run),
      },
    ],
    observe: async (context) => {
      const own = await session(context)
      return seen(own, context, await describeInstance(own))
    },
    observeMany: (contexts) => observeMany(clients, contexts),
    findTagged: (options, owner) => findTagged(clients, options, owner),
    power: {
      start: power(startInstance),
      stop: power((own, _, run) => stopInstance(own, false, run)),
      kill: power((own, _, run) => stopInstance(own, true, run)),
      restart: power(rebootInstance),
    },
  }
}

export const ec2Driver: Driver = createEc2Driver()

async function check(options: DriverOptions): Promise<void> {
  const settings = settingsOf(options)
  if (settings.userData !== undefined) await readUserData(settings.userData)
}

/** @throws E_EC2_UNREACHED with the console's end, where SSH never comes */
async function reach(context: DriverContext, session: Session, { progress }: StepRun): Promise<void> {
  try {
    await context.ssh(progress)
  } catch (error) {
    const why = (error as Error).message
    throw fail('E_EC2_UNREACHED', { why, console: await consoleTail(session) }, error)
  }
}
