/**
 * Where other nodes reach a machine's swarm port. A machine may be known to the client by a name; nodes tell
 * each other addresses.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { errnoOf, messageOf } from '../shared/errors.ts'
import { fail } from './errors.ts'

/** Where managers listen for nodes. */
const swarmPort = 2377

export interface SwarmAddresses {
  /** For this machine's own swarm port: on all of its addresses. */
  ListenAddr: string
  /** Left out where the name means the host itself: only the engine knows what others call it. */
  AdvertiseAddr?: string
}

/** What a machine's engine is told of itself. @throws E_ENGINE_SILENT for a name that nobody knows */
export async function ownAddresses(host: string): Promise<SwarmAddresses> {
  const address = await addressOf(host)
  const isHostItself = isIP(host) === 0 && /^(127\.|::1$)/.test(address)
  return {
    ListenAddr: at(isIP(address) === 6 ? '::' : '0.0.0.0'),
    ...(!isHostItself && { AdvertiseAddr: at(address) }),
  }
}

/** HOST:PORT of a manager, for one that joins. @throws E_ENGINE_SILENT for a name that nobody knows */
export async function managerAddress(host: string): Promise<string> {
  return at(await addressOf(host))
}

/** An IPv4 address where the name has one: overlay networks need it. */
async function addressOf(host: string): Promise<string> {
  if (isIP(host) !== 0) return host
  try {
    return (await lookup(host, { order: 'ipv4first' })).address
  } catch (error) {
    const why = `its name has no address (${errnoOf(error) ?? messageOf(error)})`
    throw fail('E_ENGINE_SILENT', { url: host, why }, error)
  }
}

function at(address: string): string {
  return address.includes(':') ? `[${address}]:${swarmPort}` : `${address}:${swarmPort}`
}
