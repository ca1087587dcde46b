import { describe, expect, test } from 'vitest'
import { planConverge, planForward } from '../../../../src/machine/journal/plan.ts'
import { runBack, runForward } from '../../../../src/machine/journal/run.ts'
import {
  fakeJournal,
  Killed,
  newWorld,
  recordingReporter,
  runOptions,
  thingSteps,
} from '../../../support/machine-fakes.ts'

const ids = ['a', 'b', 'c']

/** How many moments a whole run has: with more than this left, nobody dies. */
async function momentsOf(work: (world: ReturnType<typeof newWorld>) => Promise<unknown>): Promise<number> {
  const world = newWorld(1_000)
  await work(world)
  return 1_000 - world.killIn
}

describe('a run that is killed at any moment', () => {
  test('is completed by the next one, which makes nothing twice', async () => {
    const steps = thingSteps(ids)
    const moments = await momentsOf((world) =>
      runForward(runOptions(steps, world, fakeJournal(world)), planForward(ids, [])),
    )
    expect(moments).toBeGreaterThan(15)
    for (let at = 0; at < moments; at++) {
      const world = newWorld(at)
      const journal = fakeJournal(world)
      const options = runOptions(steps, world, journal)
      await expect(runForward(options, planForward(ids, []))).rejects.toThrow(Killed)
      world.killIn = Number.POSITIVE_INFINITY
      await runForward(options, planForward(ids, journal.entries))
      expect([...world.things], `killed at moment ${at}`).toEqual(ids)
      expect(world.log).toEqual(['+a', '+b', '+c'])
      expect(journal.entries.map(({ step, state }) => `${step} ${state}`)).toEqual([
        'a done',
        'b done',
        'c done',
      ])
    }
  })

  test('is taken back by the next one, which leaves nothing', async () => {
    const steps = thingSteps(ids)
    for (let at = 0; at < 18; at++) {
      const world = newWorld(at)
      const journal = fakeJournal(world)
      const options = runOptions(steps, world, journal)
      await runForward(options, planForward(ids, [])).catch(() => undefined)
      world.killIn = Number.POSITIVE_INFINITY
      expect(await runBack(options)).toEqual([])
      expect([...world.things], `killed at moment ${at}`).toEqual([])
      expect(journal.entries).toEqual([])
    }
  })

  test('while taking back is taken back by the next one, too', async () => {
    const steps = thingSteps(ids)
    for (let at = 0; at < 18; at++) {
      const world = newWorld()
      const journal = fakeJournal(world)
      const options = runOptions(steps, world, journal)
      await runForward(options, planForward(ids, []))
      world.killIn = at
      // A killed process goes over nothing; runBack goes on over failures, so what it says is not looked at.
      await runBack(options).catch(() => undefined)
      world.killIn = Number.POSITIVE_INFINITY
      expect(await runBack(options)).toEqual([])
      expect([...world.things]).toEqual([])
      expect(journal.entries).toEqual([])
    }
  })
})

describe('runForward', () => {
  test('stops at the first failure and leaves its intent in the journal', async () => {
    const world = newWorld()
    const journal = fakeJournal(world)
    world.things.add('b')
    await expect(
      runForward(runOptions(thingSteps(ids), world, journal), planForward(ids, [])),
    ).rejects.toThrow('b is there already')
    expect(journal.entries.map(({ step, state }) => `${step} ${state}`)).toEqual(['a done', 'b intended'])
  })

  test('does nothing more once the signal is aborted', async () => {
    const world = newWorld()
    const stop = new AbortController()
    const steps = thingSteps(ids)
    const second = steps[1]!
    const act = second.do
    second.do = async (context, run) => {
      await act(context, run)
      stop.abort(new Error('Ctrl-C'))
    }
    const options = runOptions(steps, world, fakeJournal(world), { signal: stop.signal })
    await expect(runForward(options, planForward(ids, []))).rejects.toThrow('Ctrl-C')
    expect([...world.things]).toEqual(['a', 'b'])
  })

  test('looks at every step when converging, and says which one it changed', async () => {
    const world = newWorld()
    const journal = fakeJournal(world)
    const reporter = recordingReporter()
    const options = runOptions(thingSteps(ids), world, journal, { reporter })
    await runForward(options, planForward(ids, []))
    world.things.delete('b')
    reporter.lines.length = 0
    expect(await runForward(options, planConverge(ids))).toEqual(['b'])
    expect(reporter.lines).toEqual([
      'plan Make a, Make b, Make c',
      'begin Make a',
      'end Make a ok',
      'begin Make b',
      'end Make b changed',
      'begin Make c',
      'end Make c ok',
    ])
  })
})

describe('runBack', () => {
  test('goes on over a step that fails, names it, and keeps it in the journal', async () => {
    const world = newWorld()
    const journal = fakeJournal(world)
    const steps = thingSteps(ids)
    const options = runOptions(steps, world, journal)
    await runForward(options, planForward(ids, []))
    steps[1]!.undo = async () => {
      throw new Error('permission denied')
    }
    const left = await runBack(options)
    expect(left.map(({ what }) => what)).toEqual(['Make b (permission denied)'])
    expect([...world.things]).toEqual(['b'])
    expect(journal.entries.map(({ step, state }) => `${step} ${state}`)).toEqual(['b undoing'])
  })
})
