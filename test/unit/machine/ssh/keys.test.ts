import ssh2 from 'ssh2'
import { describe, expect, test } from 'vitest'
import { makeSshKey } from '../../../../src/machine/ssh/keys.ts'

const { generateKeyPairSync, parseKey } = ssh2.utils

describe('a new SSH key', () => {
  const good = makeSshKey({ generateKeyPairSync, parseKey }, 'x')
  const bad = { ...good, private: good.private.replace(/\n.{8}/, '\nAAAAAAAA') }

  test('is made again where it can not be read back', () => {
    expect(parseKey(bad.private)).toBeInstanceOf(Error)
    const made = [bad, bad, good]
    const pair = makeSshKey({ parseKey, generateKeyPairSync: () => made.shift()! }, 'x')
    expect(pair).toBe(good)
  })

  test('is given up after some tries, with the reason', () => {
    expect(() => makeSshKey({ parseKey, generateKeyPairSync: () => bad }, 'x')).toThrow(/key/i)
  })
})
