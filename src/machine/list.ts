/**
 * All machines with what can be found out about them in time, in parallel.
 */
import { within } from '../shared/deadline.ts'
import { messageOf } from '../shared/errors.ts'
import { type App, engineUrl, MachineContext } from './context.ts'
import type { MachineState } from './drivers/driver.ts'
import { EngineClient } from './engine-api.ts'
import { requireCredentials } from './pki/authority.ts'
import type { MachineRecord } from './record.ts'
import type { Listed } from './store/store.ts'

/** One line of `ls`. */
export interface MachineRow {
  name: string
  /** DOCKER_HOST points at it. */
  active: boolean
  driver: string
  state: MachineState | ''
  url: string
  /** The role it was given, or none. */
  swarm: 'manager' | 'worker' | ''
  /** The machine that began the swarm it is in, or none. */
  swarmOf: string
  /** The engine's version, or "" when it is not known. */
  engine: string
  error: string
}

export interface ListOptions {
  /** For each machine. */
  timeoutMs: number
  /** DOCKER_HOST. */
  dockerHost?: string
}

export async function listMachines(app: App, options: ListOptions): Promise<MachineRow[]> {
  const items = await app.store.list()
  const ready = items.flatMap((item) =>
    'record' in item && item.record.phase === 'ready' ? [item.record] : [],
  )
  const states = observeTogether(app, ready)
  return Promise.all(items.map((item) => rowOf(app, item, options, states)))
}

type Observe = (context: MachineContext) => Promise<MachineState>

/** Asks each driver once for all of its machines, if it can tell of many; else machine by machine. */
function observeTogether(app: App, records: readonly MachineRecord[]): Observe {
  const asked = new Map<string, Promise<Map<string, MachineState | Error>>>()
  return async (context) => {
    const { driver, record } = context
    if (!driver.observeMany) return driver.observe(context)
    let answer = asked.get(record.driver)
    if (!answer) {
      const its = records.filter((one) => one.driver === record.driver)
      answer = Promise.all(its.map((one) => MachineContext.open(app, one))).then(driver.observeMany)
      asked.set(record.driver, answer)
    }
    const state = (await answer).get(record.id) ?? 'Error'
    if (state instanceof Error) throw state
    return state
  }
}

async function rowOf(app: App, item: Listed, options: ListOptions, observe: Observe): Promise<MachineRow> {
  const row: MachineRow = {
    name: item.name,
    active: false,
    driver: 'not found',
    state: 'Error',
    url: '',
    swarm: '',
    swarmOf: '',
    engine: '',
    error: '',
  }
  if ('error' in item) return { ...row, error: item.error.message }
  const { record } = item
  row.driver = record.driver
  row.swarm = record.swarm?.role ?? ''
  row.swarmOf = record.swarm ? (record.swarm.join ?? record.name) : ''
  try {
    return await within(`${item.name}`, options.timeoutMs, look(app, record, row, { ...options, observe }))
  } catch (error) {
    const timedOut = (error as { code?: string }).code === 'E_TIMEOUT'
    return { ...row, state: timedOut ? 'Timeout' : 'Error', error: timedOut ? '' : messageOf(error) }
  }
}

async function look(
  app: App,
  record: MachineRecord,
  row: MachineRow,
  { dockerHost, timeoutMs, observe }: ListOptions & { observe: Observe },
): Promise<MachineRow> {
  if (record.phase !== 'ready') {
    const error = record.phase === 'creating' ? 'its creation is not complete' : 'its removal is not complete'
    return { ...row, state: record.phase === 'creating' ? 'Starting' : 'Stopping', error }
  }
  const context = await MachineContext.open(app, record)
  const state = await observe(context)
  if (state !== 'Running') return { ...row, state }
  const url = engineUrl(record)
  const known = { ...row, state, url, active: url === dockerHost }
  const engine = await EngineClient.open(record.engine!, await requireCredentials(app.store))
  try {
    const { Version } = await engine.call<{ Version: string }>('GET', '/version', { timeoutMs })
    return { ...known, engine: Version }
  } catch (error) {
    return { ...known, error: messageOf(error) }
  } finally {
    await engine.close()
  }
}
