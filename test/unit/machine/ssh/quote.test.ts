import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { quoteArgs } from '../../../../src/machine/ssh/quote.ts'

describe('quoteArgs', () => {
  const cases: [string[], string][] = [
    [['ls', '-la', '/var/lib'], 'ls -la /var/lib'],
    [['sh', '-c', 'echo $HOME'], "sh -c 'echo $HOME'"],
    [['echo', "it's"], "echo 'it'\\''s'"],
    [['echo', ''], "echo ''"],
    [['echo', '~', '*', 'a b'], "echo '~' '*' 'a b'"],
  ]
  for (const [argv, line] of cases) test(line, () => expect(quoteArgs(argv)).toBe(line))

  test('a shell reads back exactly what was meant', () => {
    const args = ["'", '"', '\\', '$x', '`id`', 'a\nb', '', '-n', 'é', '!!', '#']
    const out = execFileSync('sh', ['-c', `printf '%s\\0' ${quoteArgs(args)}`]).toString()
    expect(out.split('\0').slice(0, -1)).toEqual(args)
  })
})
