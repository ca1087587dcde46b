import { describe, expect, it } from 'vitest'
import { findUser, parseGroup, parsePasswd } from '../../../../src/engine/images/users.ts'

const passwd = parsePasswd(`root:x:0:0:root:/root:/bin/sh
# a comment
web:x:1000:1000:,,,:/home/web:/bin/sh

broken line
nohome:x:1001:5::
bad:x:abc:1::
1234:x:77:78::/numeric
`)
const group = parseGroup(`root:x:0:
web:x:1000:
wheel:x:10:web,root
audio:x:29:web
staff:x:50
`)
const find = (user: string, extra: string[] = []) => findUser(user, extra, passwd, group)

describe('a User', () => {
  it.each([
    ['', { uid: 0, gid: 0, groups: [0, 10], home: '/root' }],
    ['root', { uid: 0, gid: 0, groups: [0, 10], home: '/root' }],
    ['web', { uid: 1000, gid: 1000, groups: [1000, 10, 29], home: '/home/web' }],
    ['1000', { uid: 1000, gid: 1000, groups: [1000, 10, 29], home: '/home/web' }],
    ['web:wheel', { uid: 1000, gid: 10, groups: [10], home: '/home/web' }],
    ['web:50', { uid: 1000, gid: 50, groups: [50], home: '/home/web' }],
    ['4711', { uid: 4711, gid: 0, groups: [0], home: '/' }],
    ['4711:4712', { uid: 4711, gid: 4712, groups: [4712], home: '/' }],
    ['nohome', { uid: 1001, gid: 5, groups: [5], home: '/' }],
    // A number is always an id, even where a name looks like one.
    ['1234', { uid: 1234, gid: 0, groups: [0], home: '/' }],
  ])('%j is found as Docker finds it', (user, expected) => {
    expect(find(user)).toEqual(expected)
  })

  it('has the groups that were added, each once', () => {
    expect(find('web', ['wheel', '29', '99', 'staff']).groups).toEqual([1000, 10, 29, 99, 50])
  })

  it('without any passwd file is root, or a number', () => {
    expect(findUser('', [], [], [])).toEqual({ uid: 0, gid: 0, groups: [0], home: '/' })
    expect(findUser('7:8', [], [], [])).toEqual({ uid: 7, gid: 8, groups: [8], home: '/' })
  })

  it.each([
    ['nobody', [], 'unable to find user nobody: no matching entries in passwd file'],
    ['bad', [], 'unable to find user bad: no matching entries in passwd file'],
    ['web:none', [], 'unable to find group none: no matching entries in group file'],
    ['web', ['none'], 'unable to find group none: no matching entries in group file'],
    ['4294967295', [], 'uids and gids must be in range 0-2147483647, not 4294967295'],
    ['-1', [], 'uids and gids must be in range 0-2147483647, not -1'],
    ['0:-5', [], 'uids and gids must be in range 0-2147483647, not -5'],
  ])('%j with %j is refused: %s', (user, extra, message) => {
    expect(() => find(user, extra)).toThrow(expect.objectContaining({ message, http: 400 }))
  })
})
