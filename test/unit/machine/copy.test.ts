import { describe, expect, test } from 'vitest'
import { parseCopyEnd, scpArgs } from '../../../src/machine/copy.ts'

describe('an end of a copy', () => {
  const cases: [text: string, end: object][] = [
    ['notes.txt', { path: 'notes.txt' }],
    ['m1:/root/', { machine: 'm1', path: '/root/' }],
    ['m1:', { machine: 'm1', path: '.' }],
    ['web@m1:x y', { machine: 'm1', user: 'web', path: 'x y' }],
    ['localhost:/tmp/a', { path: '/tmp/a' }],
    ['./a:b', { path: './a:b' }],
    [':x', { path: ':x' }],
  ]
  for (const [text, end] of cases) test(text, () => expect(parseCopyEnd(text)).toEqual(end))
})

test('scp is told each key, the pinned host keys, and paths that mean what they say', () => {
  const args = scpArgs({
    ends: [{ path: '-odd:name' }, { machine: 'm1', path: '/root/a b' }],
    hosts: [undefined, { host: '2001:db8::2', port: 2222, user: 'root', keyPath: '/k', hostKeys: [] }],
    knownHosts: '/t/known_hosts',
    options: { recursive: true, quiet: true },
  })
  expect(args.join(' ')).toBe(
    '-3 -r -q -o UserKnownHostsFile=/t/known_hosts -o GlobalKnownHostsFile=/dev/null' +
      ' -o StrictHostKeyChecking=yes -o BatchMode=yes -o LogLevel=ERROR -o IdentitiesOnly=yes -i /k' +
      ' -- ./-odd:name scp://root@[2001:db8::2]:2222//root/a%20b',
  )
})
