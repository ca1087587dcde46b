/** The power switch. Each action waits until EC2 says that it is done. */
import type { Instance } from '@aws-sdk/client-ec2'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { DriverContext } from '../driver.ts'
import { settleAddress } from './address.ts'
import { waitForInstance } from './instance.ts'
import type { Session } from './session.ts'
import { lookUntil } from './wait.ts'

const enginePort = 2376
/** A reboot begins within a minute, or EC2 resets the instance. */
const rebootMs = 4 * 60_000

/** Starts it, and writes down its address, which may be another one. */
export async function startInstance(session: Session, context: DriverContext, run: StepRun): Promise<void> {
  await untilSettled(session, run)
  await session.ec2.call('StartInstances', { InstanceIds: [idOf(session)] })
  writeAddress(context, await settleAddress(session, run))
}

export async function stopInstance(session: Session, isForced: boolean, run: StepRun): Promise<void> {
  await untilSettled(session, run)
  await session.ec2.call('StopInstances', { InstanceIds: [idOf(session)], Force: isForced })
  await waitForInstance(session, { what: 'the instance to stop', run }, isIn('stopped'))
}

/** Reboots it, and returns when the old system no longer answers: EC2 calls it running all the time. */
export async function rebootInstance(session: Session, context: DriverContext, run: StepRun): Promise<void> {
  const { ec2, clock } = session
  await untilSettled(session, run)
  // One that doesn't answer now can't be seen to go down; it is rebooted all the same.
  const connection = await context.ssh().catch(() => undefined)
  await ec2.call('RebootInstances', { InstanceIds: [idOf(session)] })
  if (!connection) return
  const tell = (left: number) => run.progress(`waiting until it goes down, ${left} s at most`)
  const untilMs = clock.now() + rebootMs
  await lookUntil({ clock, untilMs, signal: run.signal, tell }, async () => {
    const answer = connection.run(['true'], { timeoutMs: 5_000 })
    return answer.then(
      () => undefined,
      () => true,
    )
  })
}

/** The host's address into the record. */
export function writeAddress({ record }: DriverContext, host: string): void {
  if (record.ssh) record.ssh = { ...record.ssh, host }
  record.engine = { host, port: record.engine?.port ?? enginePort }
}

/** A switch that is still moving refuses the next push. */
async function untilSettled(session: Session, run: StepRun): Promise<void> {
  await waitForInstance(
    session,
    { what: 'its last change to end', run },
    ({ State }) => State?.Name === 'running' || State?.Name === 'stopped',
  )
}

const isIn = (state: string) => (instance: Instance) => instance.State?.Name === state

function idOf({ made, record }: Session): string {
  if (!made.instance) throw fail('E_MACHINE_INCOMPLETE', { name: record.name })
  return made.instance.id
}
