/** The states of many machines: one DescribeInstances for each account and region. */
import type { Instance } from '@aws-sdk/client-ec2'
import type { DriverContext, MachineState } from '../driver.ts'
import { placeKey } from './client.ts'
import type { Clients } from './clients.ts'
import { addressOf, machineState } from './instance-state.ts'
import { writeAddress } from './power.ts'
import type { Session } from './session.ts'

/** As many values as EC2 takes in one filter. */
const mostValues = 200

/** The state to show, with the address noted in the record where it has changed. */
export function seen(
  { settings }: Pick<Session, 'settings'>,
  context: DriverContext,
  instance: Instance | undefined,
): MachineState {
  const address = instance && addressOf(instance, settings.reachBy)
  if (address !== undefined && context.record.engine) writeAddress(context, address)
  return machineState(instance)
}

export async function observeMany(
  clients: Clients,
  contexts: readonly DriverContext[],
): Promise<Map<string, MachineState | Error>> {
  const places = new Map<string, { session: Session; context: DriverContext }[]>()
  const states = new Map<string, MachineState | Error>()
  for (const context of contexts) {
    try {
      const session = await clients.session(context.record)
      const key = placeKey({ ...session.settings, region: session.region })
      places.set(key, [...(places.get(key) ?? []), { session, context }])
    } catch (error) {
      states.set(context.record.id, error as Error)
    }
  }
  await Promise.all(
    [...places.values()].map(async (machines) => {
      try {
        const instances = await describe(machines.map(({ session }) => session))
        for (const { session, context } of machines) {
          const instance = instances.get(session.made.instance?.id ?? '')
          states.set(context.record.id, seen(session, context, instance))
        }
      } catch (error) {
        for (const { context } of machines) states.set(context.record.id, error as Error)
      }
    }),
  )
  return states
}

/** The recorded instances of one account and region, by id. */
async function describe(sessions: readonly Session[]): Promise<Map<string, Instance>> {
  const ids = sessions.flatMap(({ made }) => (made.instance ? [made.instance.id] : []))
  const found = new Map<string, Instance>()
  for (let i = 0; i < ids.length; i += mostValues) {
    const { Reservations = [] } = await sessions[0]!.ec2.call('DescribeInstances', {
      Filters: [{ Name: 'instance-id', Values: ids.slice(i, i + mostValues) }],
    })
    for (const instance of Reservations.flatMap(({ Instances = [] }) => Instances))
      found.set(instance.InstanceId ?? '', instance)
  }
  return found
}
