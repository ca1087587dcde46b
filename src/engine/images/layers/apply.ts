/**
 * Puts a layer's entries into its folder, in the form that overlayfs reads: removals are character devices 0:0
 * and `trusted.overlay.opaque`. Order as in every engine: create, owner, attributes, mode, times.
 *
 * One layer may both remove a name and have it anew (OCI: a removal speaks of the layers below only); then
 * the name hides what is below: a file does by itself, a folder is made opaque.
 */
import { closeSync, constants, fchmodSync, fchownSync, ftruncateSync, writeSync } from 'node:fs'
import * as c from '../../kernel/constants.ts'
import { errnos, SystemCallError } from '../../kernel/errno.ts'
import {
  type ByteString,
  chmodAt,
  chownAt,
  linkAt,
  makeFolderAt,
  makeNodeAt,
  openAt,
  setAttribute,
  setAttributeAt,
  setTimesAt,
  symlinkAt,
  unlinkAt,
} from '../../kernel/filesystem.ts'
import type { TarEntry, TarEvent } from '../tar/reader.ts'
import type { UnpackMeter } from './limits.ts'
import { cleanName, displayName, placeOf, RefusedEntry, splitPath } from './names.ts'
import { isWhiteout, type LayerTree } from './tree.ts'

const opaqueAttribute = 'trusted.overlay.opaque'
const opaqueValue = Buffer.from('y')
const createFlags = c.O_WRONLY | c.O_CREAT | constants.O_EXCL | c.O_NOFOLLOW

interface OpenFile {
  fd: number
  folderFd: number
  name: ByteString
  entry: TarEntry
}

export class LayerApplier {
  /** Name of the entry at work, for messages. */
  current: ByteString = ''
  #tree: LayerTree
  #meter: UnpackMeter
  #file: OpenFile | undefined
  /** Folders by path: their times are set at the end, since every entry in them changes them. */
  #folders = new Map<ByteString, bigint>()
  #whiteouts = new Set<ByteString>()
  #opaque = new Set<ByteString>()

  constructor(tree: LayerTree, meter: UnpackMeter) {
    this.#tree = tree
    this.#meter = meter
  }

  /** @throws RefusedEntry, SystemCallError */
  take(event: TarEvent): void {
    if (event.kind === 'data') this.#write(event.data, event.offset)
    else if (event.kind === 'end') this.#endFile()
    else {
      this.current = event.entry.name
      this.#tree.beginEntry()
      this.#meter.addEntry(event.entry.size)
      this.#apply(event.entry)
    }
  }

  /** Closes what is open; to be called whatever happened. */
  close(): void {
    if (this.#file) closeSync(this.#file.fd)
    this.#file = undefined
  }

  #apply(entry: TarEntry): void {
    const place = placeOf(entry.name)
    checkEntry(entry)
    if (place.kind === 'skip') return
    if (place.kind === 'whiteout') this.#remove(place)
    else if (place.kind === 'opaque') this.#hideLower(place.folder)
    else if (place.kind === 'root') this.#applyRoot(entry)
    else this.#create(entry, place.folder, place.name, place.path)
  }

  #applyRoot(entry: TarEntry): void {
    if (entry.type !== 'folder') throw new RefusedEntry('the root must be a folder')
    this.#describeFolder(entry, this.#tree.rootFd, '.')
    this.#folders.set('', entry.mtimeNs)
  }

  #create(entry: TarEntry, folder: ByteString, name: ByteString, path: ByteString): void {
    if (entry.type === 'link') {
      this.#link(entry, folder, name, path)
      return
    }
    const folderFd = this.#tree.folder(folder)
    if (entry.type === 'folder') {
      this.#makeFolder(entry, folderFd, name, path)
      return
    }
    const fd = retryAfterClearing(this.#tree, folderFd, name, () => this.#make(entry, folderFd, name))
    this.#folders.delete(path)
    this.#whiteouts.delete(path)
    if (fd !== undefined) {
      this.#file = { fd, folderFd, name, entry }
      return
    }
    chownAt(folderFd, name, entry.uid, entry.gid)
    this.#setAttributes(entry, (key, value) => setAttributeAt(folderFd, name, key, value))
    if (entry.type !== 'symlink') chmodAt(folderFd, name, entry.mode)
    setTimesAt(folderFd, name, entry.mtimeNs, entry.mtimeNs)
  }

  /** @returns a descriptor to write to, of a file */
  #make(entry: TarEntry, folderFd: number, name: ByteString): number | undefined {
    switch (entry.type) {
      case 'file':
        return openAt(folderFd, name, createFlags, 0o600)
      case 'symlink':
        symlinkAt(entry.linkName, folderFd, name)
        return undefined
      case 'fifo':
        makeNodeAt(folderFd, name, c.S_IFIFO, 0, 0)
        return undefined
      default:
        makeNodeAt(folderFd, name, entry.type === 'char' ? c.S_IFCHR : c.S_IFBLK, entry.major, entry.minor)
        return undefined
    }
  }

  #makeFolder(entry: TarEntry, folderFd: number, name: ByteString, path: ByteString): void {
    try {
      makeFolderAt(folderFd, name, 0o700)
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === 'EEXIST')) throw error
      const stat = this.#tree.stat(folderFd, name)
      if (!stat?.isDirectory()) {
        this.#tree.clear(folderFd, name)
        makeFolderAt(folderFd, name, 0o700)
        if (stat && isWhiteout(stat)) this.#setOpaque(folderFd, name, path)
        this.#whiteouts.delete(path)
      }
    }
    this.#describeFolder(entry, folderFd, name)
    this.#folders.set(path, entry.mtimeNs)
  }

  #describeFolder(entry: TarEntry, folderFd: number, name: ByteString): void {
    chownAt(folderFd, name, entry.uid, entry.gid)
    this.#setAttributes(entry, (key, value) => setAttributeAt(folderFd, name, key, value))
    chmodAt(folderFd, name, entry.mode)
  }

  #link(entry: TarEntry, folder: ByteString, name: ByteString, path: ByteString): void {
    const target = cleanName(entry.linkName)
    const refuse = (problem: string) =>
      new RefusedEntry(`a hard link to ${displayName(entry.linkName)}, ${problem}`)
    if (target === '' || target === path) throw refuse('which is no other file')
    const from = splitPath(target)
    const fromFd = this.#tree.existing(from.folder)
    const stat = fromFd === undefined ? undefined : this.#tree.stat(fromFd, from.name)
    if (fromFd === undefined || !stat) throw refuse('which the layer does not have')
    if (stat.isDirectory()) throw refuse('which is a folder')
    const folderFd = this.#tree.folder(folder)
    retryAfterClearing(this.#tree, folderFd, name, () => linkAt(fromFd, from.name, folderFd, name))
    this.#folders.delete(path)
    this.#whiteouts.delete(path)
  }

  #write(data: Buffer, offset: number): void {
    if (!this.#file) return
    for (let done = 0; done < data.length; ) {
      done += writeSync(this.#file.fd, data, done, data.length - done, offset + done)
    }
  }

  #endFile(): void {
    if (!this.#file) return
    const { fd, folderFd, name, entry } = this.#file
    if (entry.isSparse) ftruncateSync(fd, entry.size)
    fchownSync(fd, entry.uid, entry.gid)
    this.#setAttributes(entry, (key, value) => setAttribute(fd, key, value))
    fchmodSync(fd, entry.mode)
    setTimesAt(folderFd, name, entry.mtimeNs, entry.mtimeNs)
    this.close()
  }

  /** What the file system doesn't have, or doesn't let a kind of file have, is left out, as Docker does. */
  #setAttributes(entry: TarEntry, set: (name: ByteString, value: Buffer) => void): void {
    for (const [name, value] of entry.attributes) {
      try {
        set(name, value)
      } catch (error) {
        const skipped =
          error instanceof SystemCallError && [errnos.ENOTSUP, errnos.EPERM].includes(error.errno)
        if (!skipped) throw error
      }
    }
  }

  #remove(place: { folder: ByteString; name: ByteString; path: ByteString }): void {
    const folderFd = this.#tree.folder(place.folder)
    const stat = this.#tree.stat(folderFd, place.name)
    if (stat?.isDirectory()) this.#setOpaque(folderFd, place.name, place.path)
    if (stat) return
    makeNodeAt(folderFd, place.name, c.S_IFCHR, 0, 0)
    this.#whiteouts.add(place.path)
  }

  #hideLower(path: ByteString): void {
    this.#tree.folder(path)
    const { folder, name } = splitPath(path)
    if (path === '') this.#opaque.add('')
    else this.#setOpaque(this.#tree.folder(folder), name, path)
  }

  #setOpaque(folderFd: number, name: ByteString, path: ByteString): void {
    setAttributeAt(folderFd, name, opaqueAttribute, opaqueValue)
    this.#opaque.add(path)
  }

  /** The last step, once all entries are there. */
  finish(): void {
    if (this.#opaque.has('')) this.#hideLowerRoot()
    for (const path of this.#whiteouts) {
      this.#tree.beginEntry()
      // A removal of nothing would show up in listings of a folder that only this layer has.
      if (this.#isBelowOpaque(path) || !this.#tree.lowerHas(path)) this.#dropWhiteout(path)
    }
    for (const [path, mtimeNs] of new Map([...this.#tree.implied, ...this.#folders])) {
      this.#tree.beginEntry()
      const { folder, name } = splitPath(path)
      const folderFd = this.#tree.existing(folder)
      if (folderFd !== undefined) setTimesAt(folderFd, name || '.', mtimeNs, mtimeNs)
    }
  }

  #isBelowOpaque(path: ByteString): boolean {
    for (let { folder } = splitPath(path); folder !== ''; folder = splitPath(folder).folder) {
      if (this.#opaque.has(folder)) return true
    }
    return false
  }

  #dropWhiteout(path: ByteString): void {
    const { folder, name } = splitPath(path)
    const folderFd = this.#tree.existing(folder)
    const stat = folderFd === undefined ? undefined : this.#tree.stat(folderFd, name)
    if (folderFd !== undefined && stat && isWhiteout(stat)) unlinkAt(folderFd, name)
  }

  /** overlayfs does not look for the attribute on a layer's root: every name of the lower roots is removed. */
  #hideLowerRoot(): void {
    for (const name of this.#tree.lowerRootNames()) {
      const stat = this.#tree.stat(this.#tree.rootFd, name)
      if (stat?.isDirectory()) this.#setOpaque(this.#tree.rootFd, name, name)
      if (stat) continue
      makeNodeAt(this.#tree.rootFd, name, c.S_IFCHR, 0, 0)
      this.#whiteouts.add(name)
    }
  }
}

/** What no layer may have: names overlayfs takes orders from, numbers the kernel has none of. */
function checkEntry(entry: TarEntry): void {
  for (const name of entry.attributes.keys()) {
    if (/^(trusted|user)\.overlay\./.test(name)) {
      throw new RefusedEntry(`the attribute ${displayName(name)} is for overlayfs alone`)
    }
  }
  const largestId = 2 ** 32 - 2
  for (const id of [entry.uid, entry.gid]) {
    if (id < 0 || id > largestId) throw new RefusedEntry(`the owner ${id} is out of range`)
  }
  if (entry.linkName === '' && (entry.type === 'symlink' || entry.type === 'link')) {
    throw new RefusedEntry('a link to nothing')
  }
  if (entry.major < 0 || entry.minor < 0) throw new RefusedEntry('a device with a negative number')
}

/** Runs `make`; where the name is taken, what is there makes way and it runs again. */
function retryAfterClearing<T>(tree: LayerTree, folderFd: number, name: ByteString, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof SystemCallError && error.code === 'EEXIST')) throw error
  }
  tree.clear(folderFd, name)
  return make()
}
