import { describe, expect, test } from 'vitest'
import { planBack, planForward, unknownSteps, withState } from '../../../../src/machine/journal/plan.ts'
import type { JournalEntry, StepState } from '../../../../src/machine/journal/step.ts'

const entry = (step: string, state: StepState): JournalEntry => ({ step, state, at: 'then' })

describe('planForward', () => {
  const cases: [string, JournalEntry[], string][] = [
    ['nothing begun', [], 'a do, b do, c do'],
    ['one done', [entry('a', 'done')], 'a skip, b do, c do'],
    ['one underway', [entry('a', 'done'), entry('b', 'intended')], 'a skip, b check, c do'],
    ['one half taken back', [entry('a', 'undoing')], 'a check, b do, c do'],
  ]
  for (const [title, journal, expected] of cases) {
    test(title, () => {
      const plan = planForward(['a', 'b', 'c'], journal)
      expect(plan.map(({ step, action }) => `${step} ${action}`).join(', ')).toBe(expected)
    })
  }
})

describe('planBack', () => {
  test('names what was ever begun, last one first', () => {
    expect(planBack(['a', 'b', 'c'], [entry('a', 'done'), entry('b', 'intended')])).toEqual(['b', 'a'])
  })

  test("leaves out another version's steps, which unknownSteps names", () => {
    const journal = [entry('a', 'done'), entry('old', 'done')]
    expect(planBack(['a'], journal)).toEqual(['a'])
    expect(unknownSteps(['a'], journal)).toEqual(['old'])
  })
})

test('withState keeps one entry a step', () => {
  const once = withState([], 'a', 'intended', 't1')
  expect(withState(once, 'a', 'done', 't2')).toEqual([{ step: 'a', state: 'done', at: 't2' }])
  expect(withState(once, 'a', undefined, 't2')).toEqual([])
})
