/**
 * The swarm manager among the machines of tsmachine, for a tsswarm that was told no other place.
 */
import { openApp } from '../machine/context.ts'
import { requireCredentials } from '../machine/pki/authority.ts'
import type { Endpoint } from '../swarm/client/connection.ts'
import { fail } from '../swarm/errors.ts'
import { silentProgress } from './progress.ts'

/** Undefined where no machine is a manager. @throws E_API_SEVERAL */
export async function findManagerMachine(): Promise<Endpoint | undefined> {
  const storagePath = process.env.TSMACHINE_STORAGE_PATH
  const { store } = openApp({ reporter: silentProgress, ...(storagePath !== undefined && { storagePath }) })
  const managers = (await store.list()).flatMap((item) =>
    'record' in item && item.record.swarm?.role === 'manager' && item.record.engine ? [item.record] : [],
  )
  // Those of one swarm are one choice: the one that began it.
  const first = managers.filter((record) => record.swarm?.join === undefined)
  const [manager, ...others] = first.length > 0 ? first : managers
  if (!manager) return undefined
  if (others.length > 0)
    throw fail('E_API_SEVERAL', { names: [manager, ...others].map(({ name }) => name).join(', ') })
  const { host, port } = manager.engine!
  const address = host.includes(':') ? `[${host}]` : host
  return { url: `tcp://${address}:${port}`, tls: { ...(await requireCredentials(store)), verify: true } }
}
