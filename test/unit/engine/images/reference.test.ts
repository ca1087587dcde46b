import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchGlob } from '../../../../src/engine/images/glob.ts'
import {
  familiarName,
  familiarReference,
  formatReference,
  parseReference,
  referenceKey,
} from '../../../../src/engine/images/reference.ts'

const hex = 'a'.repeat(64)

describe('a reference', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox'],
    ['busybox:1', 'docker.io/library/busybox:1', 'busybox:1'],
    ['user/app', 'docker.io/user/app:latest', 'user/app'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox'],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x'],
    ['localhost:5000/x:v1', 'localhost:5000/x:v1', 'localhost:5000/x:v1'],
    ['[::1]:5000/x', '[::1]:5000/x:latest', '[::1]:5000/x'],
    [
      'example.com/a-b__c.d/e--f:T_1.2-3',
      'example.com/a-b__c.d/e--f:T_1.2-3',
      'example.com/a-b__c.d/e--f:T_1.2-3',
    ],
    ['UPPER/x', 'UPPER/x:latest', 'UPPER/x'],
    [`x@sha256:${hex}`, `docker.io/library/x@sha256:${hex}`, `x@sha256:${hex}`],
    [`x:v1@sha256:${hex}`, `docker.io/library/x@sha256:${hex}`, `x:v1@sha256:${hex}`],
  ])('%s is kept as %s and shown as %s', (text, key, familiar) => {
    const reference = parseReference(text)
    expect(referenceKey(reference)).toBe(key)
    expect(familiarReference(reference)).toBe(familiar)
    expect(parseReference(formatReference(reference))).toEqual(reference)
  })

  it.each([
    ['', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    [':tag', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a/b/', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['a..b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['a@sha256:abc', 'invalid reference format'],
    [`a:${'t'.repeat(129)}`, 'invalid reference format'],
    ['../../etc/passwd', 'invalid reference format'],
    ['a\n', 'invalid reference format'],
    ['x'.repeat(2000), 'invalid reference format'],
    ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
    ['x/Y:1', 'invalid reference format: repository name (x/Y) must be lowercase'],
    [hex, `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`],
    [`docker.io/${'a'.repeat(250)}`, 'repository name must not be more than 255 characters'],
    [`a@sha512:${hex}${hex}`, `unsupported digest sha512:${hex}${hex}: only sha256`],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseReference(text)).toThrow(expect.objectContaining({ message, http: 400 }))
  })

  it('of any form that is taken comes back from its own text', () => {
    const part = fc.stringMatching(/^[a-z0-9]{1,5}([._-][a-z0-9]{1,3})?$/)
    const name = fc
      .tuple(fc.array(part, { minLength: 1, maxLength: 3 }), fc.option(part))
      .map(([parts, tag]) => {
        return `${parts.join('/')}${tag ? `:${tag}` : ''}`
      })
    fc.assert(
      fc.property(name, (text) => {
        const reference = parseReference(text)
        expect(parseReference(familiarReference(reference))).toEqual(reference)
        expect(familiarReference(reference).startsWith(familiarName(reference))).toBe(true)
      }),
    )
  })

  it('that is long takes no long time', () => {
    const started = performance.now()
    for (const text of [`${'a-'.repeat(500)}!`, `${'a.'.repeat(500)}/b!`, `${'a/'.repeat(500)}!`]) {
      expect(() => parseReference(text)).toThrow()
    }
    expect(performance.now() - started).toBeLessThan(200)
  })
})

describe('a pattern', () => {
  it.each([
    ['*', 'hello', true],
    ['h*o', 'hello', true],
    ['h*', 'a/hello', false],
    ['*/hello', 'a/hello', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['a*b*c', 'a__b__b_c', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a[', 'a[', false],
    ['', '', true],
    ['a.c', 'abc', false],
  ])('%s against %s: %s', (pattern, text, expected) => {
    expect(matchGlob(pattern, text)).toBe(expected)
  })

  it('with many stars takes no long time', () => {
    const started = performance.now()
    expect(matchGlob('*a'.repeat(50), 'a'.repeat(5000))).toBe(true)
    expect(matchGlob(`${'*a'.repeat(50)}b`, 'a'.repeat(5000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(200)
  })
})
