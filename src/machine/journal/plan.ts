/**
 * What to do next, as a function of the steps and the journal alone. Acts on nothing.
 */
import type { JournalEntry, StepState } from './step.ts'

/**
 * `do`: it was never begun. `check`: it may be there, ask it first. `skip`: it is done and stays so.
 */
export interface ForwardAction {
  step: string
  action: 'do' | 'check' | 'skip'
}

/**
 * How to complete an interrupted series: done steps are left alone, the one that was underway is looked at.
 * @param recheck steps that are looked at although they are done: what they made may be another version's
 */
export function planForward(
  steps: readonly string[],
  journal: readonly JournalEntry[],
  recheck: ReadonlySet<string> = new Set(),
): ForwardAction[] {
  const states = statesOf(journal)
  return steps.map((step) => {
    const state = states.get(step)
    if (state === undefined) return { step, action: 'do' }
    return { step, action: state === 'done' && !recheck.has(step) ? 'skip' : 'check' }
  })
}

/** How to make right what is not, and nothing else: every step is looked at. */
export function planConverge(steps: readonly string[]): ForwardAction[] {
  return steps.map((step) => ({ step, action: 'check' }))
}

/**
 * Which steps to take back, last one first: all that were ever begun. A step that the journal names and this
 * version doesn't know is left out; `unknownSteps` finds it.
 */
export function planBack(steps: readonly string[], journal: readonly JournalEntry[]): string[] {
  const states = statesOf(journal)
  return steps.filter((step) => states.has(step)).reverse()
}

/** Steps in the journal that are none of `steps`: another version's, whose way back is not known here. */
export function unknownSteps(steps: readonly string[], journal: readonly JournalEntry[]): string[] {
  return [...statesOf(journal).keys()].filter((step) => !steps.includes(step))
}

/** The journal with this step's entry set to `state`, or taken out when it is undefined. */
export function withState(
  journal: readonly JournalEntry[],
  step: string,
  state: StepState | undefined,
  at: string,
): JournalEntry[] {
  const others = journal.filter((entry) => entry.step !== step)
  return state ? [...others, { step, state, at }] : others
}

function statesOf(journal: readonly JournalEntry[]): Map<string, StepState> {
  return new Map(journal.map(({ step, state }) => [step, state]))
}
