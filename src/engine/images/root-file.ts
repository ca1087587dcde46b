/** Small files of a root, read through its layers. */
import { closeSync, openSync, readSync } from 'node:fs'
import { fail } from './errors.ts'
import { RootView } from './root-view.ts'

/** A passwd file of a hundred thousand users is smaller. */
const largestFile = 16 << 20

/**
 * Reads a file of the root that layers make, symbolic links followed inside it.
 * @param folders of the layers, highest first, absolute; missing ones are passed over
 * @returns undefined where there is no such file
 * @throws E_ROOT_FILE for what is no regular file, or larger than 16 MiB
 */
export function readRootFile(folders: string[], path: string): Buffer | undefined {
  using view = new RootView(folders)
  return readFileOf(view, path)
}

/** The same where a view is open already. @throws E_ROOT_FILE */
export function readFileOf(view: RootView, path: string): Buffer | undefined {
  const node = view.find(Buffer.from(path).toString('latin1'))
  if (!node) return undefined
  const refuse = (problem: string) => fail('E_ROOT_FILE', { path, problem })
  if (!node.stat.isFile()) throw refuse('it is no regular file')
  // The descriptor names the file itself; opening it anew for reading can't be led elsewhere.
  const fd = openSync(`/proc/self/fd/${node.fds[0]}`, 'r')
  try {
    const data = Buffer.alloc(Math.min(node.stat.size, largestFile) + 1)
    let size = 0
    for (let got = -1; got !== 0 && size < data.length; ) {
      got = readSync(fd, data, size, data.length - size, null)
      size += got
    }
    if (size > largestFile) throw refuse('it is larger than 16 MiB')
    return data.subarray(0, size)
  } finally {
    closeSync(fd)
  }
}
