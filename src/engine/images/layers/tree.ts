/**
 * A layer's folder while it is unpacked. Every path is resolved by the kernel with the folder as its root
 * (openat2, RESOLVE_IN_ROOT): a symbolic link of the layer leads to where it would in a container, never to
 * the host. Folders are held by descriptor; only their own names are used below them.
 */
import {
  type BigIntStats,
  closeSync,
  fstatSync,
  lstatSync,
  readdirSync,
  readlinkSync,
  type Stats,
} from 'node:fs'
import * as c from '../../kernel/constants.ts'
import { SystemCallError } from '../../kernel/errno.ts'
import {
  type ByteString,
  chmodAt,
  chownAt,
  makeFolderAt,
  openAt,
  openAt2,
  pathOf,
  removeFolderAt,
  unlinkAt,
} from '../../kernel/filesystem.ts'
import { RefusedEntry, splitPath } from './names.ts'

const inRoot = c.RESOLVE_IN_ROOT | c.RESOLVE_NO_MAGICLINKS | c.RESOLVE_NO_XDEV
const folderFlags = c.O_PATH | c.O_DIRECTORY
/** Open folders that are kept: a tar goes through a tree folder by folder. */
const mostOpenFolders = 128
/** PATH_MAX, less room for a name that the kernel adds when it removes the tree again. */
const longestPath = 3800

export class LayerTree {
  readonly rootFd: number
  /** Folders that were made without an entry of their own, with the times that they have below. */
  readonly implied = new Map<ByteString, bigint>()
  #open = new Map<ByteString, number>()
  /** No longer found, but whoever works on the current entry may still hold them. */
  #retired: number[] = []
  /** Roots of the layers below, highest first. */
  #lower: number[] = []

  /** @param lower folders of the layers below, highest first */
  constructor(root: string, lower: string[]) {
    this.rootFd = openAt(c.AT_FDCWD, Buffer.from(root).toString('latin1'), folderFlags)
    try {
      for (const folder of lower) {
        this.#lower.push(openAt(c.AT_FDCWD, Buffer.from(folder).toString('latin1'), folderFlags))
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  close(): void {
    this.#forget()
    this.beginEntry()
    for (const fd of [this.rootFd, ...this.#lower]) closeSync(fd)
  }

  /** Descriptors that were given out before this call may be closed from now on. */
  beginEntry(): void {
    for (const fd of this.#retired) closeSync(fd)
    this.#retired = []
  }

  /** A folder or symbolic link has gone: a path may mean something else from now on. */
  #forget(): void {
    this.#retired.push(...this.#open.values())
    this.#open.clear()
  }

  /**
   * The folder's descriptor, which the tree keeps until the next entry at least. Folders that are missing are made as the layers below have
   * them, since a layer need not repeat the folders that its files lie in.
   * @throws RefusedEntry
   */
  folder(path: ByteString): number {
    return this.existing(path) ?? this.#make(path)
  }

  /** The same, or undefined where there is no such folder. @throws RefusedEntry */
  existing(path: ByteString): number | undefined {
    if (path === '') return this.rootFd
    const known = this.#open.get(path)
    if (known !== undefined) {
      this.#open.delete(path)
      this.#open.set(path, known)
      return known
    }
    let fd: number
    try {
      fd = openAt2(this.rootFd, path, folderFlags, inRoot)
    } catch (error) {
      if (error instanceof SystemCallError && error.code === 'ENOENT') return undefined
      throw error
    }
    this.#keep(path, fd)
    return fd
  }

  #keep(path: ByteString, fd: number): void {
    const real = readlinkSync(`/proc/self/fd/${fd}`, 'latin1')
    if (real.length > longestPath) {
      closeSync(fd)
      throw new RefusedEntry('its folder lies too deep')
    }
    const [oldest] = this.#open
    if (oldest && this.#open.size >= mostOpenFolders) {
      this.#open.delete(oldest[0])
      this.#retired.push(oldest[1])
    }
    this.#open.set(path, fd)
  }

  #make(path: ByteString): number {
    const { folder, name } = splitPath(path)
    const parent = this.folder(folder)
    try {
      makeFolderAt(parent, name, 0o755)
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === 'EEXIST')) throw error
      throw new RefusedEntry('the way to it goes through a symbolic link to nothing')
    }
    this.#copyFromLower(path, parent, name)
    const fd = this.existing(path)
    if (fd === undefined) throw new RefusedEntry('its folder vanished')
    return fd
  }

  /** Gives the root folder the owner and mode that it has in the layer below. */
  inheritRoot(): void {
    this.#copyFromLower('', this.rootFd, '.')
  }

  #copyFromLower(path: ByteString, parent: number, name: ByteString): void {
    const lower = this.#lowerFolder(path)
    if (!lower) return
    chownAt(parent, name, Number(lower.uid), Number(lower.gid))
    chmodAt(parent, name, Number(lower.mode) & 0o7777)
    this.implied.set(path, lower.mtimeNs)
  }

  #lowerFolder(path: ByteString): BigIntStats | undefined {
    for (const root of this.#lower) {
      const fd = this.#openLower(root, path, folderFlags | c.O_NOFOLLOW)
      if (fd === 'hidden') return undefined
      if (fd === undefined) continue
      try {
        return fstatSync(fd, { bigint: true })
      } finally {
        closeSync(fd)
      }
    }
    return undefined
  }

  /** True where a layer below has anything at the path, so that a removal of it means something. */
  lowerHas(path: ByteString): boolean {
    for (const root of this.#lower) {
      const fd = this.#openLower(root, path, c.O_PATH | c.O_NOFOLLOW)
      if (fd === 'hidden') return false
      if (fd === undefined) continue
      const stat = fstatSync(fd)
      closeSync(fd)
      return !isWhiteout(stat)
    }
    return false
  }

  /** A descriptor, nothing, or "hidden" where something else ends the search, such as a removal. */
  #openLower(root: number, path: ByteString, flags: number): number | undefined | 'hidden' {
    try {
      return openAt2(root, path === '' ? '.' : path, flags, inRoot)
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error
      if (error.code === 'ENOENT') return undefined
      if (error.code === 'ENOTDIR' || error.code === 'ELOOP') return 'hidden'
      throw error
    }
  }

  /** Everything that the roots of the layers below have. */
  lowerRootNames(): Set<ByteString> {
    const names = this.#lower.flatMap((fd) => readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' }))
    return new Set(names)
  }

  /** What a name of a folder is, undefined where there is none. */
  stat(folderFd: number, name: ByteString): Stats | undefined {
    return lstatSync(Buffer.from(pathOf(folderFd, name), 'latin1'), { throwIfNoEntry: false })
  }

  /**
   * Takes away what an entry replaces.
   * @throws RefusedEntry for a folder that has entries: to swap it under them is how attacks go
   */
  clear(folderFd: number, name: ByteString): void {
    const stat = this.stat(folderFd, name)
    if (!stat) return
    if (!stat.isDirectory()) {
      unlinkAt(folderFd, name)
      if (stat.isSymbolicLink()) this.#forget()
      return
    }
    try {
      removeFolderAt(folderFd, name)
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === 'ENOTEMPTY')) throw error
      throw new RefusedEntry('it would replace a folder that has entries')
    }
    this.#forget()
  }
}

/** The form in which overlayfs keeps a removal: a character device 0:0. */
export function isWhiteout(stat: Stats): boolean {
  return stat.isCharacterDevice() && stat.rdev === 0
}
