/**
 * Copies a folder out of the root that layers make: how a new volume gets what the image has at its place.
 * Owners, modes, times, attributes, hard links and devices come along. Runs on the unpacking thread.
 */
import { closeSync, constants, copyFileSync, type Stats } from 'node:fs'
import * as c from '../kernel/constants.ts'
import { errnos, SystemCallError } from '../kernel/errno.ts'
import {
  attributeAt,
  attributesAt,
  type ByteString,
  chmodAt,
  chownAt,
  linkAt,
  makeFolderAt,
  makeNodeAt,
  openAt,
  pathOf,
  readLinkAt,
  setAttributeAt,
  setTimesAt,
  symlinkAt,
} from '../kernel/filesystem.ts'
import { type RootNode, RootView } from './root-view.ts'

/** A place in the copy. */
interface Target {
  folderFd: number
  name: ByteString
}

/**
 * @param folders of the layers, highest first, absolute
 * @param path in the root; where it is no folder, nothing is copied
 * @param to an empty folder, which gets the owner and mode of the one in the root
 * @throws SystemCallError
 */
export function copyFromRoot(folders: string[], path: string, to: string): void {
  using view = new RootView(folders)
  const from = view.find(Buffer.from(path).toString('latin1'))
  if (!from?.stat.isDirectory()) return
  const fd = openAt(c.AT_FDCWD, Buffer.from(to).toString('latin1'), c.O_PATH | c.O_DIRECTORY)
  try {
    new Copy(view).fill(from, { folderFd: fd, name: '.' })
  } finally {
    closeSync(fd)
  }
}

class Copy {
  #view: RootView
  /** Where a file with several names was copied to first. */
  #linked = new Map<string, ByteString>()
  #top: number | undefined

  constructor(view: RootView) {
    this.#view = view
  }

  /** Fills a folder that is there. @param path of it, below the folder that all is copied to */
  fill(from: RootNode, to: Target, path: ByteString = ''): void {
    const fd = openAt(to.folderFd, to.name, c.O_PATH | c.O_DIRECTORY | c.O_NOFOLLOW)
    this.#top ??= fd
    try {
      for (const name of this.#view.names(from)) {
        const child = this.#view.child(from, name)
        if (child) this.#copy(child, { folderFd: fd, name }, path ? `${path}/${name}` : name)
      }
    } finally {
      closeSync(fd)
    }
    this.#describe(from, to)
  }

  #copy(from: RootNode, to: Target, path: ByteString): void {
    try {
      if (from.stat.isDirectory()) {
        makeFolderAt(to.folderFd, to.name, 0o700)
        this.fill(from, to, path)
      } else if (!this.#link(from.stat, to, path)) {
        this.#create(from, to)
        this.#describe(from, to)
      }
    } finally {
      this.#view.release(from)
    }
  }

  #link(stat: Stats, to: Target, path: ByteString): boolean {
    if (stat.nlink < 2) return false
    const key = `${stat.dev}:${stat.ino}`
    const first = this.#linked.get(key)
    if (first === undefined) {
      this.#linked.set(key, path)
      return false
    }
    linkAt(this.#top!, first, to.folderFd, to.name)
    return true
  }

  #create(from: RootNode, { folderFd, name }: Target): void {
    const { stat } = from
    if (stat.isSymbolicLink()) symlinkAt(readLinkAt(from.fds[0]!, ''), folderFd, name)
    else if (stat.isFile()) {
      const target = Buffer.from(pathOf(folderFd, name), 'latin1')
      copyFileSync(
        `/proc/self/fd/${from.fds[0]}`,
        target,
        constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE,
      )
    } else {
      const type = stat.isFIFO() ? c.S_IFIFO : stat.isBlockDevice() ? c.S_IFBLK : c.S_IFCHR
      makeNodeAt(folderFd, name, type, majorOf(stat.rdev), minorOf(stat.rdev))
    }
  }

  #describe({ stat, at }: RootNode, { folderFd, name }: Target): void {
    chownAt(folderFd, name, stat.uid, stat.gid)
    for (const attribute of attributesAt(at.folderFd, at.name)) {
      const value = attribute.startsWith('trusted.overlay.')
        ? undefined
        : attributeAt(at.folderFd, at.name, attribute)
      if (value) setWherePossible(folderFd, name, attribute, value)
    }
    if (!stat.isSymbolicLink()) chmodAt(folderFd, name, stat.mode & 0o7777)
    setTimesAt(folderFd, name, toNs(stat.atimeMs), toNs(stat.mtimeMs))
  }
}

function setWherePossible(folderFd: number, name: ByteString, attribute: ByteString, value: Buffer): void {
  try {
    setAttributeAt(folderFd, name, attribute, value)
  } catch (error) {
    // The volume's file system need not know every kind of attribute.
    if (!(error instanceof SystemCallError && [errnos.ENOTSUP, errnos.EPERM].includes(error.errno)))
      throw error
  }
}

function toNs(ms: number): bigint {
  return BigInt(Math.round(ms * 1000)) * 1000n
}

/** gnu_dev_major(3). */
function majorOf(device: number): number {
  const number = BigInt(device)
  return Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn))
}

function minorOf(device: number): number {
  const number = BigInt(device)
  return Number((number & 0xffn) | ((number >> 12n) & ~0xffn & 0xffffffffn))
}
