/**
 * The user's own user data: read within bounds, recognised by its first line as cloud-init does it, and packed
 * for clouds that take little.
 */
import { open } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { parseDocument } from 'yaml'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { fail } from '../errors.ts'

/** More than any cloud takes; a file beyond it was named by mistake. */
export const maxUserDataBytes = 256 * 1024

/** What EC2 takes, before base64. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html */
export const ec2UserDataBytes = 16 * 1024

/** What Azure takes, before base64. https://learn.microsoft.com/azure/virtual-machines/custom-data */
export const azureUserDataBytes = 64 * 1024

export interface UserData {
  /** Its MIME type, as cloud-init names it. */
  type: string
  text: string
  /** It consists of parts, or names some elsewhere, which say themselves how they are merged. */
  hasParts: boolean
}

/** First line -> type, longest first. https://cloudinit.readthedocs.io/en/latest/explanation/format.html */
const types: readonly [start: string, type: string, hasParts?: boolean][] = [
  ['#cloud-config-archive', 'text/cloud-config-archive', true],
  ['#cloud-config-jsonp', 'text/cloud-config-jsonp', true],
  ['#cloud-config', 'text/cloud-config'],
  ['#cloud-boothook', 'text/cloud-boothook'],
  ['#include-once', 'text/x-include-once-url', true],
  ['#include', 'text/x-include-url', true],
  ['#part-handler', 'text/part-handler', true],
  ['## template: jinja', 'text/jinja2'],
  ['#!', 'text/x-shellscript'],
  ['content-type: multipart/', 'multipart/mixed', true],
  ['mime-version:', 'multipart/mixed', true],
]

/** @throws E_USER_DATA where cloud-init would not take it, or would not merge it with ours */
export function checkUserData(text: string): UserData {
  if (Buffer.byteLength(text) > maxUserDataBytes) throw refuse(`it has more than ${maxUserDataBytes} bytes`)
  if (text.includes('\0')) throw refuse('it is no text')
  const clean = text.replace(/^\ufeff/, '').replace(/\r\n/g, '\n')
  const [first = ''] = clean.split('\n', 1)
  const found = types.find(([start]) => first.toLowerCase().startsWith(start))
  if (!found) {
    throw refuse('its first line must say what it is: #cloud-config, a #! of a script, or #cloud-boothook')
  }
  const [, type, hasParts = false] = found
  if (type === 'text/cloud-config') checkCloudConfig(clean)
  if (!hasParts && type !== 'text/x-shellscript' && /^merge_(how|type)\s*:/m.test(clean)) {
    throw refuse('merge_how and merge_type are set by tsmachine, so that its own part holds')
  }
  return { type, text: clean, hasParts }
}

function checkCloudConfig(text: string): void {
  const document = parseDocument(text)
  const [error] = document.errors
  if (error) throw refuse(error.message.split('\n')[0]!.replace(/:$/, ''), error)
  let content: unknown
  try {
    content = document.toJS({ maxAliasCount: 100 })
  } catch (caught) {
    throw refuse(messageOf(caught), caught)
  }
  if (content !== null && (typeof content !== 'object' || Array.isArray(content))) {
    throw refuse('a cloud-config must be a map of keys')
  }
}

/**
 * The user data in a file, unpacked where it is packed by gzip.
 * @throws E_USER_DATA where it can't be read, or is none
 */
export async function readUserData(path: string): Promise<string> {
  let bytes: Buffer
  try {
    const file = await open(path, 'r')
    try {
      // One byte more than is allowed: a device without an end is not read to its end.
      const buffer = Buffer.alloc(maxUserDataBytes + 1)
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      bytes = buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    const why = errnoOf(error) === 'ENOENT' ? `there is no file ${path}` : `${path}: ${messageOf(error)}`
    throw refuse(why, error)
  }
  if (bytes.length > maxUserDataBytes) throw refuse(`${path} has more than ${maxUserDataBytes} bytes`)
  try {
    const plain = isGzip(bytes) ? gunzipSync(bytes, { maxOutputLength: maxUserDataBytes }) : bytes
    const text = new TextDecoder('utf-8', { fatal: true }).decode(plain)
    checkUserData(text)
    return text
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError) && errnoOf(error) === 'E_USER_DATA')
      throw error
    throw refuse(`${path} is no UTF-8 text, plain or packed by gzip`, error)
  }
}

/**
 * The user data as a cloud gets it: packed by gzip where it would not fit otherwise, as cloud-init unpacks it.
 * The same text gives the same bytes. @param limit in bytes, before base64
 * @throws E_USER_DATA_SIZE where it is too much even so
 */
export function packUserData(text: string, limit: number): Buffer {
  const plain = Buffer.from(text)
  if (plain.length <= limit) return plain
  const packed = gzipSync(plain, { level: 9 })
  if (packed.length > limit) throw fail('E_USER_DATA_SIZE', { bytes: packed.length, limit })
  return packed
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b
}

function refuse(why: string, cause?: unknown) {
  return fail('E_USER_DATA', { why }, cause)
}
