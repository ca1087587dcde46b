/**
 * Looks into the root that a stack of layers makes, without mounting it: removals, opaque folders and symbolic
 * links count as in the mount. Every step opens one name below an open folder and follows nothing, so that a
 * container that swaps things in its own layer meanwhile leads nowhere but around its own root.
 */
import { closeSync, fstatSync, readdirSync, type Stats } from 'node:fs'
import * as c from '../kernel/constants.ts'
import { SystemCallError } from '../kernel/errno.ts'
import { attributeAt, type ByteString, openAt, readLinkAt } from '../kernel/filesystem.ts'
import { isWhiteout } from './layers/tree.ts'

/** A folder as seen from outside: the same path in several layers, highest first. */
type FolderStack = number[]

/** Something found in the root. */
export interface RootNode {
  stat: Stats
  /** Of a folder: one descriptor for each layer that has a part of it, highest first. Else one, of the thing. */
  fds: number[]
  /** Where the highest of them lies: extended attributes can't be read by such a descriptor. */
  at: { folderFd: number; name: ByteString }
}

const mostLinks = 40
const nodeFlags = c.O_PATH | c.O_NOFOLLOW

export class RootView {
  #root: FolderStack = []
  #open = new Set<number>()

  /** @param folders of the layers, highest first, absolute; missing ones are passed over */
  constructor(folders: string[]) {
    for (const folder of folders) {
      const fd = this.#tryOpen(c.AT_FDCWD, Buffer.from(folder).toString('latin1'), c.O_PATH | c.O_DIRECTORY)
      if (fd !== undefined) this.#root.push(fd)
    }
  }

  /** The root folder itself. */
  get root(): RootNode | undefined {
    const [top] = this.#root
    return top === undefined
      ? undefined
      : { stat: fstatSync(top), fds: this.#root, at: { folderFd: top, name: '.' } }
  }

  /** What is at a path, symbolic links followed inside the root; undefined where there is nothing. */
  find(path: ByteString): RootNode | undefined {
    let parts = path.split('/')
    const trail: RootNode[] = []
    let links = 0
    while (parts.length > 0) {
      const part = parts.shift()!
      if (part === '' || part === '.') continue
      if (part === '..') {
        trail.pop()
        continue
      }
      const folder = trail.at(-1) ?? this.root
      const node = folder?.stat.isDirectory() ? this.child(folder, part) : undefined
      if (!folder || !node) return undefined
      if (!node.stat.isSymbolicLink()) {
        trail.push(node)
        continue
      }
      if (++links > mostLinks) return undefined
      const target = readLinkAt(node.fds[0]!, '')
      if (target.startsWith('/')) trail.length = 0
      parts = [...target.split('/'), ...parts]
    }
    return trail.at(-1) ?? this.root
  }

  /** What a folder has under a name, not followed. */
  child(folder: RootNode, name: ByteString): RootNode | undefined {
    let top: Pick<RootNode, 'stat' | 'at'> | undefined
    const fds: number[] = []
    for (const parent of folder.fds) {
      const fd = this.#tryOpen(parent, name, nodeFlags)
      if (fd === undefined) continue
      const stat = fstatSync(fd)
      if (isWhiteout(stat) || (top && !stat.isDirectory())) {
        this.#close(fd)
        break
      }
      top ??= { stat, at: { folderFd: parent, name } }
      fds.push(fd)
      if (!stat.isDirectory() || isOpaque(parent, name)) break
    }
    return top && { ...top, fds }
  }

  /** The names in a folder, in no order. */
  names(folder: RootNode): ByteString[] {
    const names = new Set<ByteString>()
    for (const fd of folder.fds) {
      for (const name of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'latin1' })) names.add(name)
    }
    return [...names].filter((name) => {
      const node = this.child(folder, name)
      if (node) this.release(node)
      return node !== undefined
    })
  }

  /** Closes what `child` or `find` gave; the view closes the rest itself. */
  release(node: RootNode): void {
    for (const fd of node.fds) if (!this.#root.includes(fd)) this.#close(fd)
  }

  #close(fd: number): void {
    if (this.#open.delete(fd)) closeSync(fd)
  }

  close(): void {
    for (const fd of this.#open) closeSync(fd)
    this.#open.clear()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #tryOpen(folderFd: number, name: ByteString, flags: number): number | undefined {
    try {
      const fd = openAt(folderFd, name, flags)
      this.#open.add(fd)
      return fd
    } catch (error) {
      const absent = ['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ELOOP']
      if (error instanceof SystemCallError && absent.includes(error.code)) return undefined
      throw error
    }
  }
}

function isOpaque(folderFd: number, name: ByteString): boolean {
  return attributeAt(folderFd, name, 'trusted.overlay.opaque')?.toString() === 'y'
}
