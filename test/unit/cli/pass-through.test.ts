import type { Config } from '@oclif/core/config'
import { describe, expect, test } from 'vitest'
import { positionals, protectProgramArgs } from '../../../src/cli/pass-through.ts'

const commands = [
  { id: 'ssh', passThrough: true, flags: { debug: { name: 'debug', type: 'boolean' } } },
  {
    id: 'container:exec',
    passThrough: true,
    flags: {
      env: { name: 'env', char: 'e', type: 'option' },
      tty: { name: 'tty', char: 't', type: 'boolean' },
      interactive: { name: 'interactive', char: 'i', type: 'boolean' },
    },
  },
  { id: 'ls', flags: {} },
  { id: 'service:update', textFlags: ['args'], flags: { args: { name: 'args', type: 'option' } } },
]
const config = { findCommand: (id: string) => commands.find((c) => c.id === id) } as unknown as Config

describe('protectProgramArgs', () => {
  const cases: [string, string][] = [
    ['ssh m1 df -h', 'ssh m1 -- df -h'],
    ['ssh --debug m1 ls --help', 'ssh --debug m1 -- ls --help'],
    ['ssh m1', 'ssh m1 --'],
    ['ssh -- m1 ls', 'ssh -- m1 ls'],
    ['ssh --help', 'ssh --help'],
    ['container exec -it c1 sh -c x', 'container exec -it c1 -- sh -c x'],
    [
      'container exec -e A=1 --env B=2 --env=C=3 c1 env',
      'container exec -e A=1 --env B=2 --env=C=3 c1 -- env',
    ],
    ['container exec -te A=1 c1 env', 'container exec -te A=1 c1 -- env'],
    ['container exec -eA=1 c1 env', 'container exec -eA=1 c1 -- env'],
    ['ls --json foo', 'ls --json foo'],
    ['service update --args -t web', 'service update --args  -t web'],
    ['service update --args=-t web', 'service update --args= -t web'],
    ['service update --args t web', 'service update --args t web'],
    ['service update -q --args=t web', 'service update -q --args=t web'],
  ]
  for (const [given, expected] of cases) {
    test(given, () => expect(protectProgramArgs(given.split(' '), config).join(' ')).toBe(expected))
  }
})

describe('positionals', () => {
  test('are in the order in which they were given, whatever they are', () => {
    const raw = [
      { type: 'flag', flag: 'replicas', input: '3' },
      ...['img', 'ping', '-c', '3', 'ping'].map((input) => ({ type: 'arg', arg: 'image', input })),
    ]
    expect(positionals(raw)).toEqual(['img', 'ping', '-c', '3', 'ping'])
  })
})
