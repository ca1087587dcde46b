import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import {
  checkUserData,
  ec2UserDataBytes,
  maxUserDataBytes,
  packUserData,
  readUserData,
} from '../../../../src/machine/cloud-init/user-data.ts'

describe('user data', () => {
  test.each([
    ['#cloud-config\npackages: [curl]\n', 'text/cloud-config', false],
    ['\ufeff#cloud-config\r\n{}\r\n', 'text/cloud-config', false],
    ['#cloud-config\n', 'text/cloud-config', false],
    ['#cloud-config-archive\n[]', 'text/cloud-config-archive', true],
    ['#!/bin/sh\nmerge_how: of no meaning here', 'text/x-shellscript', false],
    ['#cloud-boothook\n', 'text/cloud-boothook', false],
    ['#include\nhttps://example.org/x', 'text/x-include-url', true],
    ['## template: jinja\n#cloud-config\n{% if 1 %}{% endif %}', 'text/jinja2', false],
    ['Content-Type: multipart/mixed; boundary="b"\n\n--b--', 'multipart/mixed', true],
  ])('%j is %s', (text, type, hasParts) => {
    expect(checkUserData(text)).toMatchObject({ type, hasParts })
  })

  test.each([
    ['', /first line/],
    ['packages: [curl]', /first line/],
    ['#cloud-config\n- a\n', /map/],
    ['#cloud-config\na: [\n', /flow/i],
    ['#cloud-config\na: 1\na: 2\n', /unique/],
    ['#cloud-config\nmerge_how: dict(replace)\n', /merge_how/],
    ['## template: jinja\n#cloud-config\nmerge_type : x\n', /merge_how/],
    ['#!/bin/sh\n\0', /no text/],
    [`#!/bin/sh\n${'x'.repeat(maxUserDataBytes)}`, /more than/],
    [bomb(), /alias/],
  ])('%.20j is refused', (text, why) => {
    expect(() => checkUserData(text)).toThrow(expect.objectContaining({ code: 'E_USER_DATA' }))
    expect(() => checkUserData(text)).toThrow(why)
  })

  test('is packed only where it would not fit, the same each time, and never beyond the limit', () => {
    const long = `#!/bin/sh\n${'true\n'.repeat(10_000)}`
    expect(packUserData('#!/bin/sh\n', ec2UserDataBytes).toString()).toBe('#!/bin/sh\n')
    const packed = packUserData(long, ec2UserDataBytes)
    expect(gunzipSync(packed).toString()).toBe(long)
    expect(packed).toEqual(packUserData(long, ec2UserDataBytes))
    expect(() => packUserData(randomBytes(20_000).toString('hex'), ec2UserDataBytes)).toThrow(
      expect.objectContaining({ code: 'E_USER_DATA_SIZE' }),
    )
  })
})

describe('a file of user data', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tsmachine-user-data-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = (content: string | Uint8Array) => {
    writeFileSync(join(folder, 'x'), content)
    return join(folder, 'x')
  }

  test('is read, plain or packed', async () => {
    expect(await readUserData(file('#!/bin/sh\n'))).toBe('#!/bin/sh\n')
    expect(await readUserData(file(gzipSync('#!/bin/sh\n')))).toBe('#!/bin/sh\n')
  })

  test.each([
    ['what is not there', () => join(folder, 'nope'), /no file/],
    ['a folder', () => folder, /EISDIR/],
    ['what has no end', () => '/dev/zero', /more than/],
    ['bytes that are no text', () => file(Buffer.from([0x23, 0x21, 0xff, 0xfe])), /UTF-8/],
    ['a broken archive', () => file(Buffer.from([0x1f, 0x8b, 1, 2, 3])), /gzip/],
    ['an archive that grows without end', () => file(gzipSync(Buffer.alloc(64 * 1024 * 1024))), /gzip/],
  ])('is not read where it is %s', async (_, path, why) => {
    const reading = readUserData(path())
    await expect(reading).rejects.toMatchObject({ code: 'E_USER_DATA' })
    await expect(reading).rejects.toThrow(why)
  })
})

function bomb(): string {
  const lines = ['#cloud-config', 'a0: &a0 [x, x]']
  for (let i = 1; i < 12; i++) lines.push(`a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}x]`)
  return `${lines.join('\n')}\n`
}
