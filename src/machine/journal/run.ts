/**
 * Carries out plans: the only place that runs steps and writes journals.
 */
import { messageOf } from '../../shared/errors.ts'
import { type ForwardAction, planBack, withState } from './plan.ts'
import type { JournalEntry, Step, StepRun, StepState } from './step.ts'

/** Where the journal is kept; `save` must not return before it is on the disk. */
export interface JournalKeeper {
  read: () => readonly JournalEntry[]
  save: (entries: JournalEntry[]) => Promise<void>
}

/** Told about each step as it goes. */
export interface Reporter {
  /** The titles of all steps to come, in order. */
  plan: (titles: string[]) => void
  begin: (title: string) => void
  progress: (title: string, text: string) => void
  /** `changed`: it acted. `ok`: it was right already. `undone`: taken back. */
  end: (title: string, outcome: 'changed' | 'ok' | 'undone', ms: number) => void
  failed: (title: string, error: Error, ms: number) => void
}

export interface RunOptions<C> {
  steps: readonly Step<C>[]
  context: C
  journal: JournalKeeper
  reporter: Reporter
  signal: AbortSignal
  /** ISO 8601; the clock's place for tests. */
  now: () => string
}

/**
 * Does what the plan says, step by step, and stops at the first failure.
 * @returns the ids of the steps that changed something
 * @throws what the failing step threw, or the signal's reason
 */
export async function runForward<C>(
  options: RunOptions<C>,
  plan: readonly ForwardAction[],
): Promise<string[]> {
  const { steps, context, reporter, signal } = options
  const todo = plan.filter(({ action }) => action !== 'skip')
  const stepOf = (id: string) => steps.find((step) => step.id === id)!
  reporter.plan(todo.map(({ step }) => stepOf(step).describe(context)))
  const changed: string[] = []
  for (const { step: id, action } of todo) {
    const step = stepOf(id)
    const title = step.describe(context)
    await reported(options, title, async (run) => {
      signal.throwIfAborted()
      if (action === 'check' && (await step.probe(context, run))) {
        if (stateOf(options, id) !== 'done') await write(options, id, 'done')
        return 'ok'
      }
      await write(options, id, 'intended')
      await step.do(context, run)
      await write(options, id, 'done')
      changed.push(id)
      return 'changed'
    })
  }
  return changed
}

/** A step that could not be taken back. */
export interface Left {
  what: string
  error: Error
}

/**
 * Takes back all that the journal names, last step first, and goes on over failures.
 * @returns what is left; its entries stay in the journal
 */
export async function runBack<C>(options: RunOptions<C>): Promise<Left[]> {
  const { steps, context, reporter } = options
  const ids = planBack(
    steps.map(({ id }) => id),
    options.journal.read(),
  )
  const undoable = ids.map((id) => steps.find((step) => step.id === id)!).filter((step) => step.undo)
  reporter.plan(undoable.map((step) => undoTitle(step.describe(context))))
  const left: Left[] = []
  for (const id of ids) {
    const step = steps.find((candidate) => candidate.id === id)!
    if (!step.undo) {
      await write(options, id, undefined)
      continue
    }
    const title = undoTitle(step.describe(context))
    try {
      await reported(options, title, async (run) => {
        await write(options, id, 'undoing')
        await step.undo!(context, run)
        await write(options, id, undefined)
        return 'undone'
      })
    } catch (error) {
      left.push({ what: `${step.describe(context)} (${messageOf(error)})`, error: error as Error })
    }
  }
  return left
}

function undoTitle(title: string): string {
  return `Undo: ${title.slice(0, 1).toLowerCase()}${title.slice(1)}`
}

async function reported<C>(
  { reporter, signal }: RunOptions<C>,
  title: string,
  work: (run: StepRun) => Promise<'changed' | 'ok' | 'undone'>,
): Promise<void> {
  const start = performance.now()
  reporter.begin(title)
  try {
    const outcome = await work({ signal, progress: (text) => reporter.progress(title, text) })
    reporter.end(title, outcome, performance.now() - start)
  } catch (error) {
    reporter.failed(title, error as Error, performance.now() - start)
    throw error
  }
}

async function write<C>({ journal, now }: RunOptions<C>, id: string, state: StepState | undefined) {
  await journal.save(withState(journal.read(), id, state, now()))
}

function stateOf<C>({ journal }: RunOptions<C>, id: string): StepState | undefined {
  return journal.read().find(({ step }) => step === id)?.state
}
