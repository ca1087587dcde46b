/**
 * The swarm's failures, in two tables: those of managers and nodes, and those of the commands.
 */
import { failures, isFailure } from '../shared/errors.ts'
import { clientFailures } from './client-failures.ts'
import { serverFailures } from './server-failures.ts'

export const swarmFailures = { ...serverFailures, ...clientFailures }

export const fail = failures(swarmFailures)

/** True when the store failed to read or keep something: the same may succeed later. */
export function isStoreFailure(error: unknown): boolean {
  return isFailure(error, 'E_STORE_FAILED', 'E_STORE_CLOSED', 'E_STORE_BUSY', 'E_STORE_COMPACTED')
}
