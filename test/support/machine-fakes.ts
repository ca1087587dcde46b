/**
 * Stand-ins for tests of the machine layer: a world of named things that steps make and take away, and a
 * process that dies at a chosen moment.
 */
import type { JournalKeeper, Reporter, RunOptions } from '../../src/machine/journal/run.ts'
import type { JournalEntry, Step } from '../../src/machine/journal/step.ts'

/** Thrown in place of the process's death: nothing after it runs. */
export class Killed extends Error {}

export interface World {
  things: Set<string>
  log: string[]
  /** Counts down at each moment when a kill may come; at zero it does. */
  killIn: number
}

export function newWorld(killIn = Number.POSITIVE_INFINITY): World {
  return { things: new Set(), log: [], killIn }
}

/** A moment at which the process may die. */
export function moment(world: World): void {
  if (world.killIn-- === 0) throw new Killed('killed')
}

/** Steps that each make the thing of their name; making it twice is an error, as with many a cloud call. */
export function thingSteps(ids: string[]): Step<World>[] {
  return ids.map((id) => ({
    id,
    describe: () => `Make ${id}`,
    probe: async (world) => world.things.has(id),
    do: async (world) => {
      moment(world)
      if (world.things.has(id)) throw new Error(`${id} is there already`)
      world.things.add(id)
      world.log.push(`+${id}`)
      moment(world)
    },
    undo: async (world) => {
      moment(world)
      if (world.things.delete(id)) world.log.push(`-${id}`)
      moment(world)
    },
  }))
}

/** A journal whose writes are moments, too: the process may die before or after each. */
export function fakeJournal(world: World): JournalKeeper & { entries: JournalEntry[] } {
  const journal = {
    entries: [] as JournalEntry[],
    read: () => journal.entries,
    save: async (entries: JournalEntry[]) => {
      moment(world)
      journal.entries = entries
      moment(world)
    },
  }
  return journal
}

/** Writes down what it is told, as "begin Make a", "end Make a changed". */
export function recordingReporter(): Reporter & { lines: string[] } {
  const lines: string[] = []
  return {
    lines,
    plan: (titles) => void lines.push(`plan ${titles.join(', ')}`),
    begin: (title) => void lines.push(`begin ${title}`),
    progress: (title, text) => void lines.push(`progress ${title} ${text}`),
    end: (title, outcome) => void lines.push(`end ${title} ${outcome}`),
    failed: (title, error) => void lines.push(`failed ${title} ${error.message}`),
  }
}

export function runOptions(
  steps: Step<World>[],
  world: World,
  journal: JournalKeeper,
  more: Partial<RunOptions<World>> = {},
): RunOptions<World> {
  return {
    steps,
    context: world,
    journal,
    reporter: recordingReporter(),
    signal: new AbortController().signal,
    now: () => '2026-01-01T00:00:00.000Z',
    ...more,
  }
}
