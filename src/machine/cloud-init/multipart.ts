/**
 * A MIME multipart as cloud-init takes it. Two headers and a boundary are all there is to it, and the libraries
 * for it write mails: with dates and random boundaries, which would make each rendering another one.
 */
import { createHash } from 'node:crypto'

export interface Part {
  /** "multipart/..." brings its own headers in its text. */
  type: string
  name: string
  text: string
  /** How cloud-init merges it with the parts before it. */
  merge?: string
}

export function joinParts(parts: readonly Part[]): string {
  const blocks = parts.map(renderPart)
  // Derived, so that it is the same each time; a text that holds its own digest doesn't come by accident.
  const boundary = `tsmachine-${createHash('sha256').update(blocks.join()).digest('hex').slice(0, 32)}`
  return [
    `Content-Type: multipart/mixed; boundary="${boundary}"`,
    'MIME-Version: 1.0',
    '',
    ...blocks.map((block) => `--${boundary}\n${block}`),
    `--${boundary}--`,
    '',
  ].join('\n')
}

function renderPart({ type, name, text, merge }: Part): string {
  if (type.startsWith('multipart/')) return text.trimStart()
  // What mail may not carry as it is goes as base64: other than ASCII, and lines that a mail would have cut.
  const isPlain = /^[\t\n\x20-\x7e]*$/.test(text) && text.split('\n').every((line) => line.length < 990)
  return [
    `Content-Type: ${type}; charset="utf-8"`,
    'MIME-Version: 1.0',
    `Content-Transfer-Encoding: ${isPlain ? '7bit' : 'base64'}`,
    `Content-Disposition: attachment; filename="${name}"`,
    ...(merge === undefined ? [] : [`Merge-Type: ${merge}`]),
    '',
    isPlain ? text : Buffer.from(text).toString('base64').replace(/.{76}/g, '$&\n'),
  ].join('\n')
}
