import { describe, expect, it } from 'vitest'
import { DescriptionWatch } from '../../../../src/swarm/agent/description.ts'
import { silentLog } from '../../../../src/swarm/context.ts'
import type { NodeDescription } from '../../../../src/swarm/store/objects/node.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { FakeEngine } from '../../../support/fake-engine.ts'

describe("a host's description", () => {
  it('is told anew when it has changed, and only then', async () => {
    const clock = new FakeClock()
    const context = { clock, log: silentLog, newId: () => '' }
    const first = await new FakeEngine('h').describe()
    let now: NodeDescription | Error = first
    const told: NodeDescription[] = []
    const look = async () => {
      if (now instanceof Error) throw now
      return structuredClone(now)
    }
    const watch = new DescriptionWatch(context, look, first, (description) => told.push(description))
    const wait = async () => {
      clock.advance(300_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await wait()
    expect(told).toEqual([])
    now = new Error('no such thing')
    await wait()
    const renamed = { ...first, Hostname: 'other' }
    now = renamed
    await wait()
    await wait()
    expect(told).toEqual([renamed])
    watch.stop()
    now = first
    await wait()
    expect(told).toHaveLength(1)
  })
})
