/** What the name of a layer's entry means (image-spec layer.md): a place in the layer, or a removal of one. */
import type { ByteString } from '../../kernel/filesystem.ts'

/** An entry that no honest layer has; whoever unpacks knows which layer and entry. */
export class RefusedEntry extends Error {
  override readonly name = 'RefusedEntry'
}

const whiteoutPrefix = '.wh.'
const opaqueName = '.wh..wh..opq'

export type EntryPlace =
  | { kind: 'entry'; folder: ByteString; name: ByteString; path: ByteString }
  /** The layer's own root folder. */
  | { kind: 'root' }
  /** `name` of the layers below is gone. */
  | { kind: 'whiteout'; folder: ByteString; name: ByteString; path: ByteString }
  /** Nothing of the layers below is seen in the folder. */
  | { kind: 'opaque'; folder: ByteString }
  /** AUFS's own bookkeeping, which Docker skips as well. */
  | { kind: 'skip' }

/**
 * "./usr//bin/x" -> "usr/bin/x"; "/etc/x" -> "etc/x", since some builders (Cloud Native Buildpacks) write
 * absolute names and every engine reads them as relative to the root. "" is the root.
 * @throws RefusedEntry for a name with a ".." in it
 */
export function cleanName(name: ByteString): ByteString {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw new RefusedEntry('its name leads out of the layer (..)')
  return parts.join('/')
}

/** @throws RefusedEntry */
export function placeOf(name: ByteString): EntryPlace {
  const path = cleanName(name)
  if (path === '') return { kind: 'root' }
  const { folder, name: last } = splitPath(path)
  if (folder.split('/').some((part) => part.startsWith(whiteoutPrefix))) {
    return folder.startsWith('.wh..wh.') ? { kind: 'skip' } : refuseReserved()
  }
  if (!last.startsWith(whiteoutPrefix)) return { kind: 'entry', folder, name: last, path }
  if (last === opaqueName) return { kind: 'opaque', folder }
  if (last.startsWith('.wh..wh.')) return { kind: 'skip' }
  const target = last.slice(whiteoutPrefix.length)
  if (target === '' || target === '.' || target === '..') {
    throw new RefusedEntry(`it would remove ${target === '' ? 'nothing' : `"${target}"`}`)
  }
  return { kind: 'whiteout', folder, name: target, path: folder ? `${folder}/${target}` : target }
}

function refuseReserved(): never {
  throw new RefusedEntry('it lies in a folder whose name marks a removal (.wh.)')
}

export function splitPath(path: ByteString): { folder: ByteString; name: ByteString } {
  const at = path.lastIndexOf('/')
  return { folder: path.slice(0, Math.max(at, 0)), name: path.slice(at + 1) }
}

/** A name as people read it: UTF-8 where it is, quoted, cut to a length that fits a line. */
export function displayName(name: ByteString): string {
  const text = Buffer.from(name, 'latin1').toString('utf8')
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}...` : text)
}
