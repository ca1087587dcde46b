/** Entries -> tar headers: ustar where it fits, with a PAX header before it where it does not. */
import type { ByteString } from '../../kernel/filesystem.ts'
import { blockSize } from './header.ts'
import { encodePax, type PaxRecords } from './pax.ts'
import type { TarEntry, TarType } from './reader.ts'

const flags: Record<TarType, string> = {
  file: '0',
  link: '1',
  symlink: '2',
  char: '3',
  block: '4',
  folder: '5',
  fifo: '6',
}

/** An entry to write: what it leaves out is zero, or empty. */
export type TarHeader = Pick<TarEntry, 'type' | 'name'> & Partial<TarEntry>

const largestOctal7 = 0o7777777
const largestOctal11 = 0o77777777777

/** Two blocks of zeros: the end of an archive. */
export const endOfTar = Buffer.alloc(2 * blockSize)

/** The zeros that fill an entry's data up to a whole block. */
export function paddingFor(size: number): Buffer {
  return Buffer.alloc(Math.ceil(size / blockSize) * blockSize - size)
}

/**
 * An entry's header blocks. The same entry always gives the same bytes, and only what doesn't fit into
 * ustar's fields goes into a PAX header.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const entry = { ...emptyEntry, ...header }
  if (entry.type === 'folder' && !entry.name.endsWith('/')) entry.name += '/'
  const pax: PaxRecords = new Map()
  const name = splitName(entry.name)
  if (!name) pax.set('path', entry.name)
  if (!fits(entry.linkName, 100)) pax.set('linkpath', entry.linkName)
  if (entry.size > largestOctal11) pax.set('size', String(entry.size))
  if (entry.uid > largestOctal7) pax.set('uid', String(entry.uid))
  if (entry.gid > largestOctal7) pax.set('gid', String(entry.gid))
  const seconds = entry.mtimeNs / 1_000_000_000n
  const exact = entry.mtimeNs >= 0n && entry.mtimeNs % 1_000_000_000n === 0n && seconds <= largestOctal11
  if (!exact) pax.set('mtime', formatTime(entry.mtimeNs))
  for (const key of [...entry.attributes.keys()].sort()) {
    pax.set(`SCHILY.xattr.${key}`, entry.attributes.get(key)!.toString('latin1'))
  }
  const block = encodeBlock({
    flag: flags[entry.type],
    name: name ?? { prefix: '', name: entry.name.slice(0, 100) },
    linkName: entry.linkName.slice(0, 100),
    mode: entry.mode,
    uid: entry.uid <= largestOctal7 ? entry.uid : 0,
    gid: entry.gid <= largestOctal7 ? entry.gid : 0,
    size: entry.size <= largestOctal11 ? entry.size : 0,
    mtime: exact ? Number(seconds) : 0,
    major: entry.major,
    minor: entry.minor,
  })
  return pax.size === 0 ? block : Buffer.concat([encodeExtended(pax), block])
}

const emptyEntry = {
  linkName: '',
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtimeNs: 0n,
  major: 0,
  minor: 0,
  attributes: new Map<ByteString, Buffer>(),
}

interface Block {
  flag: string
  name: { prefix: string; name: string }
  linkName: ByteString
  mode: number
  uid: number
  gid: number
  size: number
  mtime: number
  major: number
  minor: number
}

function encodeExtended(pax: PaxRecords): Buffer {
  const content = encodePax(pax)
  const header = encodeBlock({
    flag: 'x',
    name: { prefix: '', name: 'PaxHeaders/entry' },
    linkName: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: 0,
    major: 0,
    minor: 0,
  })
  return Buffer.concat([header, content, paddingFor(content.length)])
}

function encodeBlock(block: Block): Buffer {
  const into = Buffer.alloc(blockSize)
  const octal = (value: number, offset: number, digits: number) =>
    into.write(`${value.toString(8).padStart(digits, '0')}\0`, offset, 'latin1')
  into.write(block.name.name, 0, 'latin1')
  octal(block.mode, 100, 7)
  octal(block.uid, 108, 7)
  octal(block.gid, 116, 7)
  octal(block.size, 124, 11)
  octal(block.mtime, 136, 11)
  into.write('        ', 148, 'latin1')
  into.write(block.flag, 156, 'latin1')
  into.write(block.linkName, 157, 'latin1')
  into.write('ustar\x0000', 257, 'latin1')
  octal(block.major, 329, 7)
  octal(block.minor, 337, 7)
  into.write(block.name.prefix, 345, 'latin1')
  const sum = into.reduce((total, byte) => total + byte, 0)
  into.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return into
}

/** ustar keeps 155 characters before a slash and 100 after it, ASCII only. */
function splitName(name: ByteString): { prefix: string; name: string } | undefined {
  if (fits(name, 100)) return { prefix: '', name }
  if (!fits(name, 256)) return undefined
  const at = name.lastIndexOf('/', 155)
  const rest = name.slice(at + 1)
  return at > 0 && rest.length > 0 && rest.length <= 100
    ? { prefix: name.slice(0, at), name: rest }
    : undefined
}

function fits(text: ByteString, size: number): boolean {
  return text.length <= size && /^[\x01-\x7f]*$/.test(text)
}

function formatTime(ns: bigint): string {
  const digits = (ns < 0n ? -ns : ns).toString().padStart(10, '0')
  const decimals = digits.slice(-9).replace(/0+$/, '')
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}${decimals ? `.${decimals}` : ''}`
}
