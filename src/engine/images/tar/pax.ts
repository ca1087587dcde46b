/** PAX extended headers (pax(1), "pax Extended Header"): records of "LENGTH KEY=VALUE\n"; values are bytes. */
import type { ByteString } from '../../kernel/filesystem.ts'
import { TarError } from './header.ts'

/** Values by key, all as byte strings. */
export type PaxRecords = Map<ByteString, ByteString>

const xattrPrefix = 'SCHILY.xattr.'

/**
 * Reads an extended header. A repeated key's last value counts, but for the pairs of GNU's sparse form 0.0,
 * which are gathered into one list as form 0.1 writes it.
 * @throws TarError
 */
export function decodePax(data: Buffer): PaxRecords {
  const records: PaxRecords = new Map()
  const sparse: ByteString[] = []
  let at = 0
  while (at < data.length) {
    const space = data.indexOf(0x20, at)
    const digits = space < 0 ? '' : data.toString('latin1', at, Math.min(space, at + 10))
    const end = at + Number(digits)
    if (!/^\d{1,9}$/.test(digits) || end > data.length || end <= space + 1 || data[end - 1] !== 0x0a) {
      throw new TarError('a damaged extended header')
    }
    const record = data.toString('latin1', space + 1, end - 1)
    const equals = record.indexOf('=')
    const key = record.slice(0, equals)
    const value = record.slice(equals + 1)
    if (equals < 1 || key.includes('\0') || (isText(key) && value.includes('\0'))) {
      throw new TarError('a damaged extended header')
    }
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(value)
    else records.set(key, value)
    at = end
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', sparse.join(','))
  return records
}

/** Names end at their first NUL in the kernel, so one inside would mean another name there. */
function isText(key: ByteString): boolean {
  return !key.startsWith(xattrPrefix)
}

/** A whole number that is not negative. @throws TarError */
export function paxNumber(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)
  if (value === undefined || value === '') return undefined
  const result = Number(value)
  if (!/^\d{1,16}$/.test(value) || !Number.isSafeInteger(result)) {
    throw new TarError(`an extended header whose ${key} is no number`)
  }
  return result
}

/** "1350244992.023960108" -> nanoseconds. @throws TarError */
export function paxTime(records: PaxRecords, key: string): bigint | undefined {
  const value = records.get(key)
  if (value === undefined || value === '') return undefined
  const match = /^(-?)(\d{1,12})(?:\.(\d*))?$/.exec(value)
  if (!match) throw new TarError(`an extended header whose ${key} is no time`)
  const [, sign, seconds, decimals = ''] = match
  const ns = BigInt(seconds!) * 1_000_000_000n + BigInt(decimals.slice(0, 9).padEnd(9, '0'))
  return sign ? -ns : ns
}

/** The extended attributes, as star, GNU tar and Go write them. */
export function paxAttributes(records: PaxRecords): Map<ByteString, Buffer> {
  const attributes = new Map<ByteString, Buffer>()
  for (const [key, value] of records) {
    if (!key.startsWith(xattrPrefix)) continue
    attributes.set(key.slice(xattrPrefix.length), Buffer.from(value, 'latin1'))
  }
  return attributes
}

/** The records as an extended header's content. */
export function encodePax(records: PaxRecords): Buffer {
  return Buffer.concat(
    [...records].map(([key, value]) => {
      const rest = ` ${key}=${value}\n`
      let length = rest.length + 1
      while (String(length).length + rest.length !== length) length++
      return Buffer.from(`${length}${rest}`, 'latin1')
    }),
  )
}
