/**
 * Making a machine's engine a member of a swarm, through the engines' own API.
 */
import { waitFor } from '../shared/deadline.ts'
import { isFailure } from '../shared/errors.ts'
import type { MachineContext } from './context.ts'
import { EngineClient } from './engine-api.ts'
import { fail } from './errors.ts'
import type { Step } from './journal/step.ts'
import { requireCredentials } from './pki/authority.ts'
import type { MachineRecord, SwarmPlan } from './record.ts'
import type { Store } from './store/store.ts'

/** Where managers listen for nodes. */
const swarmPort = 2377

interface EngineInfo {
  Swarm?: { LocalNodeState?: string; NodeID?: string; ControlAvailable?: boolean }
}

interface SwarmInfo {
  JoinTokens: { Worker: string; Manager: string }
}

/**
 * Which swarm a new machine is to be in.
 * @param join the machine named to be joined; a worker without one joins the only manager there is
 * @throws E_NO_SWARM, E_MACHINE_UNKNOWN
 */
export async function planSwarm(
  store: Store,
  role: SwarmPlan['role'],
  join: string | undefined,
): Promise<SwarmPlan> {
  if (join !== undefined) {
    const target = await store.get(join)
    if (target.swarm?.role !== 'manager') throw fail('E_NO_SWARM', { why: `${join} is no manager` })
    return { role, join }
  }
  if (role === 'manager') return { role }
  const managers = (await store.list()).filter((item) => 'record' in item && isManager(item.record))
  const [only, another] = managers
  if (!only) throw fail('E_NO_SWARM', { why: 'there is no manager yet' })
  if (another) {
    throw fail('E_NO_SWARM', {
      why: `there are several managers (${managers.map(({ name }) => name).join(', ')})`,
    })
  }
  return { role, join: only.name }
}

function isManager({ swarm, phase }: MachineRecord): boolean {
  return swarm?.role === 'manager' && phase === 'ready'
}

/** The last step of a machine with a place in a swarm. */
export const swarmStep: Step<MachineContext> = {
  id: 'swarm',
  describe: ({ record }) => {
    const { role, join } = record.swarm!
    return join ? `Join the swarm of ${join} as ${role}` : 'Begin a swarm'
  },
  probe: async (context, { signal }) => {
    const info = await withEngine(context, (engine) => engine.call<EngineInfo>('GET', '/info', { signal }))
    if (info.Swarm?.LocalNodeState !== 'active') return false
    context.record.made.nodeId = info.Swarm.NodeID
    return true
  },
  do: async (context, { signal, progress }) => {
    const { host } = context.record.engine!
    const body = await joinBody(context, signal, progress)
    const own = {
      ListenAddr: `0.0.0.0:${swarmPort}`,
      // A forwarded port of this machine is no address for other hosts; the engine then takes its own.
      ...(!host.startsWith('127.') && { AdvertiseAddr: `${host}:${swarmPort}` }),
    }
    context.record.made.nodeId = await withEngine(context, async (engine) => {
      const path = body ? '/swarm/join' : '/swarm/init'
      await engine.call('POST', path, { body: { ...own, ...body }, timeoutMs: 60_000, signal })
      return (await engine.call<EngineInfo>('GET', '/info', { signal })).Swarm?.NodeID
    })
  },
  undo: async (context) => {
    await leave(context)
    await forget(context)
  },
}

async function joinBody(
  context: MachineContext,
  signal: AbortSignal,
  progress: (text: string) => void,
): Promise<object | undefined> {
  const { role, join } = context.record.swarm!
  if (join === undefined) return undefined
  await untilReady(context, join, signal, progress)
  const manager = await managerOf(context, join)
  try {
    const { JoinTokens } = await manager.client.call<SwarmInfo>('GET', '/swarm', { signal })
    return {
      RemoteAddrs: [`${manager.host}:${swarmPort}`],
      JoinToken: role === 'manager' ? JoinTokens.Manager : JoinTokens.Worker,
    }
  } finally {
    await manager.client.close()
  }
}

/** How long another command's work on the manager is waited for. */
const managerTimeoutMs = 180_000

/** A manager that is being made by another command right now is waited for. */
async function untilReady(
  { app }: MachineContext,
  name: string,
  signal: AbortSignal,
  progress: (text: string) => void,
): Promise<void> {
  const isReady = async () => (await app.store.get(name)).phase !== 'creating' || undefined
  if (await isReady()) return
  progress(`waits for ${name} to be ready`)
  await waitFor(`${name} to be ready`, isReady, { timeoutMs: managerTimeoutMs, everyMs: 200, signal })
}

/** The engine says goodbye; one that is gone, with its host or before it, needs not. */
async function leave(context: MachineContext): Promise<void> {
  try {
    await withEngine(context, (engine) => {
      return engine.call('POST', '/swarm/leave?force=true', { timeoutMs: 15_000 })
    })
  } catch (error) {
    if (!isFailure(error, 'E_ENGINE_SILENT', 'E_ENGINE_TLS', 'E_ENGINE_ERROR')) throw error
    if (!context.driver.ownsHost && !isFailure(error, 'E_ENGINE_ERROR')) throw error
  }
}

/** The swarm takes the node off its list; a swarm that is gone itself needs not. */
async function forget({ app, record }: MachineContext): Promise<void> {
  const { join } = record.swarm!
  const nodeId = record.made.nodeId as string | undefined
  const manager = join === undefined ? undefined : await app.store.find(join)
  if (!manager?.engine || nodeId === undefined) return
  const client = await EngineClient.open(manager.engine, await requireCredentials(app.store))
  try {
    await client.call('DELETE', `/nodes/${nodeId}?force=true`)
  } catch (error) {
    if (!isFailure(error, 'E_ENGINE_SILENT', 'E_ENGINE_ERROR')) throw error
  } finally {
    await client.close()
  }
}

async function managerOf(
  context: MachineContext,
  name: string,
): Promise<{ client: EngineClient; host: string }> {
  const { engine } = await context.app.store.get(name)
  if (!engine) throw fail('E_NO_SWARM', { why: `${name} is not complete` })
  return { client: await EngineClient.open(engine, await context.credentials()), host: engine.host }
}

async function withEngine<T>(
  context: MachineContext,
  work: (engine: EngineClient) => Promise<T>,
): Promise<T> {
  const engine = await EngineClient.open(context.record.engine!, await context.credentials())
  try {
    return await work(engine)
  } finally {
    await engine.close()
  }
}
