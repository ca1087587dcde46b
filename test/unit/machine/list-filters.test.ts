import { describe, expect, test } from 'vitest'
import type { MachineRow } from '../../../src/machine/list.ts'
import { machineFilter } from '../../../src/machine/list-filters.ts'

const row = (name: string, change: Partial<MachineRow> = {}): MachineRow => ({
  ...{ name, active: false, driver: 'local', state: 'Running', url: '', engine: '', error: '' },
  ...{ swarm: '', swarmOf: '' },
  ...change,
})
const rows = [
  row('m1', { swarm: 'manager', swarmOf: 'm1' }),
  row('w1', { swarm: 'worker', swarmOf: 'm1', state: 'Stopped' }),
  row('web', { driver: 'generic' }),
]

describe('machines', () => {
  const cases: [words: string, names: string][] = [
    ['', 'm1 w1 web'],
    ['driver=LOCAL', 'm1 w1'],
    ['state=running', 'm1 web'],
    ['name=^w', 'w1 web'],
    ['name=^m name=b$', 'm1 web'],
    ['name=^w state=stopped', 'w1'],
    ['swarm=m1', 'm1 w1'],
    ['swarm=worker', 'w1'],
    ['driver=', ''],
  ]
  test.each(cases)('with %j are %j', (words, names) => {
    const matches = machineFilter(words.split(' ').filter(Boolean))
    expect(
      rows
        .filter(matches)
        .map(({ name }) => name)
        .join(' '),
    ).toBe(names)
  })

  test.each(['driver', 'label=a', 'name=['])('are not filtered by %j', (word) => {
    expect(() => machineFilter([word])).toThrow(expect.objectContaining({ code: 'E_OPTION', exit: 2 }))
  })
})
