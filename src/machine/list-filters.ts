/**
 * `tsmachine ls --filter`: the same key several times means any of its values, different keys must all hold, as
 * with docker-machine.
 */
import { fail } from './errors.ts'
import type { MachineRow } from './list.ts'

const keys = ['driver', 'state', 'name', 'swarm'] as const
type Key = (typeof keys)[number]

export type MachineFilter = (row: MachineRow) => boolean

/**
 * One filter out of all KEY=VALUE words; values are case-blind, but for `name`, which is a regular expression.
 * `swarm` takes a role, or the name of the machine whose swarm it is in.
 * @throws E_OPTION for a word without "=", another key, or an expression that is none
 */
export function machineFilter(words: readonly string[]): MachineFilter {
  const wanted = new Map<Key, ((row: MachineRow) => boolean)[]>()
  for (const word of words) {
    const [key, ...rest] = word.split('=')
    if (rest.length === 0) throw refuse(word, 'it must look like KEY=VALUE')
    if (!isKey(key)) throw refuse(word, `the keys are ${keys.join(', ')}`)
    const tests = wanted.get(key) ?? []
    tests.push(testOf(key, rest.join('='), word))
    wanted.set(key, tests)
  }
  return (row) => [...wanted.values()].every((tests) => tests.some((test) => test(row)))
}

function isKey(text: string | undefined): text is Key {
  return keys.includes(text as Key)
}

function testOf(key: Key, value: string, word: string): (row: MachineRow) => boolean {
  if (key === 'name') {
    const pattern = patternOf(value, word)
    return ({ name }) => pattern.test(name)
  }
  const same = (text: string) => text.toLowerCase() === value.toLowerCase()
  if (key === 'driver') return ({ driver }) => same(driver)
  if (key === 'state') return ({ state }) => same(state)
  return ({ swarm, swarmOf }) => same(swarm) || same(swarmOf)
}

function patternOf(text: string, word: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw fail('E_OPTION', { option: `--filter ${word}`, why: 'it is no regular expression' }, error)
  }
}

function refuse(word: string, why: string): Error {
  return fail('E_OPTION', { option: `--filter ${word}`, why })
}
