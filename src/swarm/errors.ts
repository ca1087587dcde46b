/**
 * The swarm's failures, in two tables: those of managers and nodes, and those of the commands.
 */
import { failures } from '../shared/errors.ts'
import { clientFailures } from './client-failures.ts'
import { serverFailures } from './server-failures.ts'

export const swarmFailures = { ...serverFailures, ...clientFailures }

export const fail = failures(swarmFailures)
