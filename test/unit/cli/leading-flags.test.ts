import type { Config } from '@oclif/core/config'
import { describe, expect, test } from 'vitest'
import { moveLeadingFlags } from '../../../src/cli/leading-flags.ts'

const flags = {
  host: { name: 'host', char: 'H', type: 'option', helpGroup: 'GLOBAL' },
  debug: { name: 'debug', type: 'boolean', helpGroup: 'GLOBAL' },
  quiet: { name: 'quiet', char: 'q', type: 'boolean' },
}
const commands = [
  { id: 'init', flags },
  { id: 'node:ls', flags },
]
const config = {
  commands,
  findCommand: (id: string) => commands.find((command) => command.id === id),
} as unknown as Config

describe('moveLeadingFlags', () => {
  const cases: [given: string, expected: string][] = [
    ['-H tcp://m1:2376 node ls -q', 'node ls -H tcp://m1:2376 -q'],
    ['--host=tcp://m1:2376 --debug init', 'init --host=tcp://m1:2376 --debug'],
    ['-Htcp://m1:2376 init', 'init -Htcp://m1:2376'],
    ['--debug --host tcp://m1:2376 init', 'init --debug --host tcp://m1:2376'],
    ['node ls -H x', 'node ls -H x'],
    ['--help', '--help'],
    ['--debug --help', '--debug --help'],
    ['-q node ls', '-q node ls'],
    ['-H x nosuch', '-H x nosuch'],
    ['-H', '-H'],
  ]
  for (const [given, expected] of cases) {
    test(given, () => expect(moveLeadingFlags(given.split(' '), config).join(' ')).toBe(expected))
  }
})
