/** What is tried to launch, in order, and the token that makes a launch happen once. Pure. */
import { createHash } from 'node:crypto'
import type { ChosenType, Made } from './made.ts'
import type { Settings } from './settings.ts'

export interface Candidate {
  type: ChosenType
  subnet: { id: string; zone: string }
  isSpot: boolean
}

/** Spot before on demand, a type in all zones before the next type: the user's own order. */
export function candidatesOf(
  made: Made,
  { isSpot, isSpotOnly }: Pick<Settings, 'isSpot' | 'isSpotOnly'>,
): Candidate[] {
  const markets = isSpot ? (isSpotOnly ? [true] : [true, false]) : [false]
  return markets.flatMap((market) =>
    (made.types ?? []).flatMap((type) =>
      (made.subnets ?? []).map((subnet) => ({ type, subnet, isSpot: market })),
    ),
  )
}

export function describeCandidate({ type, subnet, isSpot }: Candidate): string {
  return `${type.name} in ${subnet.zone}${isSpot ? ' (spot)' : ''}`
}

/**
 * The ClientToken: the same in every run for the same try, and another for each other try, since EC2 refuses a
 * known token with other parameters. `attempt` counts launches that have come to their end by themselves: EC2
 * answers a token for a day with the instance that it made, terminated or not.
 * @returns at most 64 characters
 */
export function clientToken(machineId: string, candidate: Candidate, attempt: number): string {
  const { type, subnet, isSpot } = candidate
  const digest = createHash('sha256')
    .update(JSON.stringify([type.name, subnet.id, isSpot]))
    .digest('hex')
  return `tsmachine-${machineId}-${digest.slice(0, 16)}-${attempt}`
}
