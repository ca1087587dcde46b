/**
 * The key pair: our own ED25519 public key, under a name that is the machine's alone, so that importing it twice
 * is refused and not doubled.
 */
import type { KeyPairInfo } from '@aws-sdk/client-ec2'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import { resourceName } from '../tags.ts'
import { clearRefusal, creating, lookInDoubt } from './doubt.ts'
import { codeOf } from './refusal.ts'
import { type Session, tagSpecs } from './session.ts'

export const keyStep = 'ec2.key'

/** The name of the pair that the instance gets: ours, or the user's own. */
export function keyName({ settings, record }: Pick<Session, 'settings' | 'record'>): string {
  return settings.keyName ?? resourceName(record)
}

/** Whether the pair is there by now; in doubt that is asked again by importing it, which is safe. */
export async function hasKey(session: Session): Promise<boolean> {
  if (session.settings.keyName !== undefined) return true
  const found = await find(session)
  if (found?.KeyPairId) remember(session, found.KeyPairId)
  return found !== undefined
}

export async function importKey(session: Session, publicKey: string, run: StepRun): Promise<void> {
  const { ec2, settings } = session
  if (settings.keyName !== undefined) return
  try {
    const { KeyPairId } = await creating(session, keyStep, (options) =>
      ec2.call(
        'ImportKeyPair',
        {
          KeyName: keyName(session),
          PublicKeyMaterial: Buffer.from(publicKey),
          TagSpecifications: tagSpecs(session, 'key-pair'),
        },
        options,
      ),
    )
    remember(session, KeyPairId!)
  } catch (error) {
    // Ours, from a request whose answer was lost: the name has the machine's id in it.
    if (codeOf(error) !== 'InvalidKeyPair.Duplicate') throw error
    clearRefusal(session, keyStep)
    const found = await look(session, run)
    if (!found?.KeyPairId) throw notShown(session)
    remember(session, found.KeyPairId)
  }
}

/** @throws E_EC2... while it can't be deleted; nothing there is fine */
export async function deleteKey(session: Session, run: StepRun): Promise<void> {
  const { ec2, settings, made } = session
  if (settings.keyName !== undefined) return
  const found = await look(session, run)
  // Deleting by name what was not to be seen does no harm, and helps where the cloud hid it even longer.
  await ec2.call(
    'DeleteKeyPair',
    found?.KeyPairId ? { KeyPairId: found.KeyPairId } : { KeyName: keyName(session) },
  )
  made.keyPair = undefined
}

function look(session: Session, run: StepRun): Promise<KeyPairInfo | undefined> {
  const what = `the key pair ${keyName(session)}`
  return lookInDoubt(session, { step: keyStep, born: session.made.keyPair?.at, what, run }, () =>
    find(session),
  )
}

async function find(session: Session): Promise<KeyPairInfo | undefined> {
  const { KeyPairs = [] } = await session.ec2.call('DescribeKeyPairs', {
    Filters: [{ Name: 'key-name', Values: [keyName(session)] }],
  })
  return KeyPairs[0]
}

function remember({ made, clock }: Session, id: string): void {
  if (made.keyPair?.id !== id) made.keyPair = { id, at: clock.now() }
}

function notShown(session: Session): Error {
  return fail('E_EC2_WAIT', {
    what: `the key pair ${keyName(session)} to be shown`,
    seconds: session.settings.windowMs / 1000,
  })
}
