import { beforeEach, describe, expect, it } from 'vitest'
import type { NodeNetworkState } from '../../../../src/swarm/agent/engine.ts'
import { NetworkApplier } from '../../../../src/swarm/agent/networks.ts'
import { type Context, silentLog } from '../../../../src/swarm/context.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeEngine } from '../../../support/fake-engine.ts'

let clock: FakeClock
let engine: FakeEngine
let warnings: string[]
let networks: NetworkApplier
beforeEach(() => {
  clock = new FakeClock()
  engine = new FakeEngine('h')
  warnings = []
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) }
  const context: Context = { clock, log, newId: () => '' }
  const state = { revision: 1, networks: [{ id: 'a' }, { id: 'b' }], ingressPorts: [] }
  networks = new NetworkApplier(engine, context, () => state as unknown as NodeNetworkState)
})

const settle = () => new Promise((resolve) => setTimeout(resolve, 5))
const { signal } = new AbortController()
async function isReady(id: string): Promise<boolean> {
  let ready = false
  void networks.ready([id], signal, 60_000).then(() => {
    ready = true
  })
  await settle()
  return ready
}
const wait = async (ms: number) => {
  clock.advance(ms)
  await settle()
}

describe('networks of the swarm on a host', () => {
  it('are ready one by one: a task waits for its own, until it could be made', async () => {
    engine.networkOutcome = { problems: ['network b: EEXIST'], missing: ['b'] }
    networks.poke()
    expect([await isReady('a'), await isReady('b')]).toEqual([true, false])
    await expect(networks.ready(['b'], signal, 0)).rejects.toThrow(
      'its network is not there: network b: EEXIST',
    )
    engine.networkOutcome = { problems: [], missing: [] }
    await wait(1000)
    expect(await isReady('b')).toBe(true)
  })

  it('are applied again while something is undone, less and less often, and said once', async () => {
    engine.networkOutcome = { problems: ['port 80/tcp of service web: EADDRINUSE'], missing: [] }
    networks.poke()
    await settle()
    const counts = [engine.networks.length]
    for (const ms of [999, 1, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
      await wait(ms)
      counts.push(engine.networks.length)
    }
    expect(counts).toEqual([1, 1, 2, 3, 4, 5, 6, 7, 8])
    expect(warnings).toEqual(['port 80/tcp of service web: EADDRINUSE'])
    engine.networkOutcome = { problems: [], missing: [] }
    await wait(30_000)
    await wait(100_000)
    expect(engine.networks).toHaveLength(9)
    await networks.stop()
  })
})
