import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { findHostKeys } from '../../../../src/machine/ssh/known-hosts.ts'

const salt = Buffer.from('0123456789abcdefghij')
const hashed = (name: string) =>
  `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`
const text = `# a comment
web1,192.0.2.1 ssh-ed25519 AAAA1 me@here
[web2]:2222 ssh-rsa AAAA2
${hashed('secret')} ssh-ed25519 AAAA3
@revoked web1 ssh-ed25519 AAAA4
`

test('findHostKeys finds plain, ported and hashed names', () => {
  expect(findHostKeys(text, 'web1', 22)).toEqual(['ssh-ed25519 AAAA1'])
  expect(findHostKeys(text, '192.0.2.1', 22)).toEqual(['ssh-ed25519 AAAA1'])
  expect(findHostKeys(text, 'web2', 2222)).toEqual(['ssh-rsa AAAA2'])
  expect(findHostKeys(text, 'web2', 22)).toEqual([])
  expect(findHostKeys(text, 'secret', 22)).toEqual(['ssh-ed25519 AAAA3'])
})
