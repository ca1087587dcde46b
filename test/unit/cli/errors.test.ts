import { describe, expect, test } from 'vitest'
import { describeError } from '../../../src/cli/report.ts'
import { failures } from '../../../src/shared/errors.ts'
import { runBin } from '../../support/run-bin.ts'

const fail = failures({
  E_TEST_FULL: {
    kind: 'outside',
    exit: 7,
    text: (p: { path: string }) => `${p.path} is full`,
    next: () => 'Make room.',
  },
})

describe('a command line that can not be understood', () => {
  const cases: [string[], string][] = [
    [['versoin'], 'tsmachine: no command "versoin"; did you mean "version"?'],
    [['xyzzy', 'plugh'], 'tsmachine: no command "xyzzy plugh"'],
    [['version', '--nope'], 'tsmachine: Nonexistent flag: --nope'],
  ]
  for (const [args, line] of cases) {
    test(`tsmachine ${args.join(' ')}: one line, the next step, exit code 2`, async () => {
      const result = await runBin('tsmachine', args)
      expect(result.code).toBe(2)
      expect(result.stdout).toBe('')
      expect(result.stderr.split('\n')).toEqual([
        line,
        '  See tsmachine --help, or --help after the command.',
        '',
      ])
    })
  }
})

describe('--debug', () => {
  for (const [title, args, env] of [
    ['as a flag', ['--debug'], {}],
    ['as TSMACHINE_DEBUG', [], { TSMACHINE_DEBUG: '1' }],
  ] as const) {
    test(`${title} shows the causes and the stack`, async () => {
      const command = ['ls', '--storage-path', '/etc/hostname/x', ...args]
      const { code, stderr } = await runBin('tsmachine', command, { env })
      expect(code).toBe(1)
      const lines = stderr.split('\n')
      expect(lines[0]).toMatch(
        /^tsmachine: can't use the storage folder \/etc\/hostname\/x: a part of its path is a file$/,
      )
      expect(lines[2]).toMatch(/^ {2}caused by: ENOTDIR/)
      expect(stderr).toMatch(/\n {4}at /)
    })
  }
})

describe('describeError', () => {
  test('takes line, next step and exit code from a failure', () => {
    expect(describeError(fail('E_TEST_FULL', { path: '/data' }), 'tsmachine')).toEqual({
      line: '/data is full',
      next: 'Make room.',
      exit: 7,
    })
  })

  test('makes one line of any other error', () => {
    expect(describeError(new Error('first\nsecond'), 'tsmachine')).toEqual({ line: 'first second', exit: 1 })
  })
})
