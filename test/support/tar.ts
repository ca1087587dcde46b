/** Tars for tests: built entry by entry, and read back. */
import { encodeHeader, endOfTar, paddingFor, type TarHeader } from '../../src/engine/images/tar/encode.ts'
import { type TarEntry, type TarEvent, TarReader } from '../../src/engine/images/tar/reader.ts'

export interface Item extends TarHeader {
  data?: string | Buffer
}

/** A tar of these entries, with its end. */
export function makeTar(items: Item[], end = true): Buffer {
  const parts = items.flatMap(({ data = '', ...header }) => {
    const content = Buffer.from(data)
    const size = header.type === 'file' ? content.length : 0
    return [encodeHeader({ mode: 0o644, ...header, size }), content, paddingFor(content.length)]
  })
  return Buffer.concat(end ? [...parts, endOfTar] : parts)
}

export const file = (name: string, data: string | Buffer = '', rest: Partial<Item> = {}): Item => ({
  type: 'file',
  name,
  data,
  ...rest,
})
export const folder = (name: string, rest: Partial<Item> = {}): Item => ({
  type: 'folder',
  name,
  mode: 0o755,
  ...rest,
})
export const symlink = (name: string, linkName: string): Item => ({
  type: 'symlink',
  name,
  linkName,
  mode: 0o777,
})
export const link = (name: string, linkName: string): Item => ({ type: 'link', name, linkName })

export interface ReadItem extends TarEntry {
  data: Buffer
}

/** Reads a tar, in pieces of `step` bytes; holes are zeros. */
export function readTar(tar: Buffer, step = tar.length || 1): ReadItem[] {
  const reader = new TarReader()
  const items: ReadItem[] = []
  const take = (event: TarEvent) => {
    if (event.kind === 'entry') items.push({ ...event.entry, data: Buffer.alloc(event.entry.size) })
    if (event.kind === 'data') event.data.copy(items.at(-1)!.data, event.offset)
  }
  for (let at = 0; at < tar.length; at += step) {
    // A copy that is wiped afterwards: what the reader keeps must be its own.
    const chunk = Buffer.from(tar.subarray(at, at + step))
    for (const event of reader.feed(chunk)) take(event)
    chunk.fill(0xff)
  }
  reader.finish()
  return items
}
