/**
 * Files by descriptor: the calls that unpack a tree inside a folder and never leave it. Node has none of them:
 * openat2(2), the *at family, devices, extended attributes, times to the nanosecond.
 *
 * Names are byte strings (one character a byte, as Buffer's "latin1" reads them), since a tar's names need not
 * be UTF-8. All calls are synchronous; unpacking runs on a thread of its own.
 */
import koffi from 'koffi'
import { hostArch } from './arch.ts'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, O_CLOEXEC } from './constants.ts'
import { SystemCallError } from './errno.ts'

/** One character a byte, 0 to 255: a name as the file system keeps it. */
export type ByteString = string

const libc = koffi.load('libc.so.6')
const AT_REMOVEDIR = 0x200

function bind<A extends unknown[]>(name: string, declaration: string): (...args: A) => number {
  const fn = libc.func(declaration) as (...args: unknown[]) => number
  return (...args: A) => {
    const result = Number(fn(...args))
    if (result < 0) throw new SystemCallError(name, koffi.errno())
    return result
  }
}

type Name = Buffer
type Bytes = Uint8Array | null
const openat2Call = bind<[number: number, fd: number, path: Name, how: Buffer, size: number]>(
  'openat2',
  'long syscall(long, int, const void *, const void *, size_t)',
)
const openatCall = bind<[fd: number, path: Name, flags: number, mode: number]>(
  'openat',
  'int openat(int, const void *, int, uint)',
)
const mkdirCall = bind<[fd: number, path: Name, mode: number]>(
  'mkdirat',
  'int mkdirat(int, const void *, uint)',
)
const mknodCall = bind<[fd: number, path: Name, mode: number, device: bigint]>(
  'mknodat',
  'int mknodat(int, const void *, uint, uint64)',
)
const symlinkCall = bind<[target: Name, fd: number, path: Name]>(
  'symlinkat',
  'int symlinkat(const void *, int, const void *)',
)
const linkCall = bind<[fromFd: number, from: Name, toFd: number, to: Name, flags: number]>(
  'linkat',
  'int linkat(int, const void *, int, const void *, int)',
)
const unlinkCall = bind<[fd: number, path: Name, flags: number]>(
  'unlinkat',
  'int unlinkat(int, const void *, int)',
)
const chownCall = bind<[fd: number, path: Name, uid: number, gid: number, flags: number]>(
  'fchownat',
  'int fchownat(int, const void *, uint, uint, int)',
)
const chmodCall = bind<[fd: number, path: Name, mode: number, flags: number]>(
  'fchmodat',
  'int fchmodat(int, const void *, uint, int)',
)
const utimesCall = bind<[fd: number, path: Name, times: Buffer, flags: number]>(
  'utimensat',
  'int utimensat(int, const void *, const void *, int)',
)
const readlinkCall = bind<[fd: number, path: Name, into: Buffer, size: number]>(
  'readlinkat',
  'long readlinkat(int, const void *, void *, size_t)',
)
const lsetxattrCall = bind<[path: Name, name: Name, value: Bytes, size: number, flags: number]>(
  'lsetxattr',
  'int lsetxattr(const void *, const void *, const void *, size_t, int)',
)
const fsetxattrCall = bind<[fd: number, name: Name, value: Bytes, size: number, flags: number]>(
  'fsetxattr',
  'int fsetxattr(int, const void *, const void *, size_t, int)',
)
const lgetxattrCall = bind<[path: Name, name: Name, into: Bytes, size: number]>(
  'lgetxattr',
  'long lgetxattr(const void *, const void *, void *, size_t)',
)
const llistxattrCall = bind<[path: Name, into: Bytes, size: number]>(
  'llistxattr',
  'long llistxattr(const void *, void *, size_t)',
)
const syncfsCall = bind<[fd: number]>('syncfs', 'int syncfs(int)')

function bytes(name: ByteString): Name {
  return Buffer.from(`${name}\0`, 'latin1')
}

/**
 * Opens `path` below `folderFd` under the rules of openat2(2), e.g. RESOLVE_IN_ROOT; close-on-exec.
 * @throws SystemCallError
 */
export function openAt2(folderFd: number, path: ByteString, flags: number, resolve: number): number {
  const how = Buffer.alloc(24) // struct open_how: flags, mode, resolve
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0)
  how.writeBigUInt64LE(BigInt(resolve), 16)
  const number = hostArch().numbers.openat2!
  for (let tries = 1; ; tries++) {
    try {
      return openat2Call(number, folderFd, bytes(path), how, how.length)
    } catch (error) {
      // A rename or mount anywhere on the machine while ".." was resolved: the kernel asks to try again.
      if (!(error instanceof SystemCallError && error.code === 'EAGAIN') || tries === mostTries) throw error
    }
  }
}

const mostTries = 128

/** Opens a name in a folder, close-on-exec. @throws SystemCallError */
export function openAt(folderFd: number, name: ByteString, flags: number, mode = 0): number {
  return openatCall(folderFd, bytes(name), flags | O_CLOEXEC, mode)
}

export function makeFolderAt(folderFd: number, name: ByteString, mode: number): void {
  mkdirCall(folderFd, bytes(name), mode)
}

/** A device, FIFO or empty file: `type` is one of S_IFCHR, S_IFBLK, S_IFIFO. */
export function makeNodeAt(
  folderFd: number,
  name: ByteString,
  type: number,
  major: number,
  minor: number,
): void {
  mknodCall(folderFd, bytes(name), type | 0o600, deviceNumber(major, minor))
}

export function symlinkAt(target: ByteString, folderFd: number, name: ByteString): void {
  symlinkCall(bytes(target), folderFd, bytes(name))
}

/** A second name; a symbolic link is not followed but linked itself. */
export function linkAt(fromFd: number, from: ByteString, toFd: number, to: ByteString): void {
  linkCall(fromFd, bytes(from), toFd, bytes(to), 0)
}

export function unlinkAt(folderFd: number, name: ByteString): void {
  unlinkCall(folderFd, bytes(name), 0)
}

export function removeFolderAt(folderFd: number, name: ByteString): void {
  unlinkCall(folderFd, bytes(name), AT_REMOVEDIR)
}

/** The name itself, never what it points to; with an empty name the descriptor's own file. */
export function chownAt(folderFd: number, name: ByteString, uid: number, gid: number): void {
  chownCall(folderFd, bytes(name), uid, gid, AT_SYMLINK_NOFOLLOW | (name === '' ? AT_EMPTY_PATH : 0))
}

/** Follows a symbolic link: for names that the caller made itself and that are none. */
export function chmodAt(folderFd: number, name: ByteString, mode: number): void {
  chmodCall(folderFd, bytes(name), mode, 0)
}

/** Sets both times of the name itself, in nanoseconds since 1970 (negative before). */
export function setTimesAt(folderFd: number, name: ByteString, atimeNs: bigint, mtimeNs: bigint): void {
  const times = Buffer.alloc(32)
  writeTimespec(times, 0, atimeNs)
  writeTimespec(times, 16, mtimeNs)
  utimesCall(folderFd, bytes(name), times, AT_SYMLINK_NOFOLLOW)
}

function writeTimespec(into: Buffer, offset: number, ns: bigint): void {
  const rest = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  into.writeBigInt64LE((ns - rest) / 1_000_000_000n, offset)
  into.writeBigInt64LE(rest, offset + 8)
}

/** Where a symbolic link points. @throws SystemCallError EINVAL where the name is none */
export function readLinkAt(folderFd: number, name: ByteString): ByteString {
  const into = Buffer.alloc(4096)
  return into.toString('latin1', 0, readlinkCall(folderFd, bytes(name), into, into.length))
}

/** Sets an extended attribute of an open file or folder. @throws SystemCallError */
export function setAttribute(fd: number, name: ByteString, value: Uint8Array): void {
  fsetxattrCall(fd, bytes(name), value, value.length, 0)
}

/** Sets an extended attribute of the name itself, a symbolic link included. @throws SystemCallError */
export function setAttributeAt(
  folderFd: number,
  name: ByteString,
  attribute: ByteString,
  value: Uint8Array,
): void {
  lsetxattrCall(bytes(pathOf(folderFd, name)), bytes(attribute), value, value.length, 0)
}

/** An extended attribute's value, or undefined where the name has none or its file system knows none. */
export function attributeAt(folderFd: number, name: ByteString, attribute: ByteString): Buffer | undefined {
  const path = bytes(pathOf(folderFd, name))
  try {
    const into = Buffer.alloc(lgetxattrCall(path, bytes(attribute), null, 0))
    return into.subarray(0, lgetxattrCall(path, bytes(attribute), into, into.length))
  } catch (error) {
    if (error instanceof SystemCallError && ['ENODATA', 'ENOTSUP', 'EOPNOTSUPP'].includes(error.code)) {
      return undefined
    }
    throw error
  }
}

/** The names of all extended attributes of the name itself. */
export function attributesAt(folderFd: number, name: ByteString): ByteString[] {
  const path = bytes(pathOf(folderFd, name))
  const into = Buffer.alloc(llistxattrCall(path, null, 0))
  if (into.length === 0) return []
  const size = llistxattrCall(path, into, into.length)
  return into.toString('latin1', 0, size).split('\0').slice(0, -1)
}

/** Writes all that the descriptor's file system still holds in memory to its disk (syncfs(2)). */
export function syncFileSystem(fd: number): void {
  syncfsCall(fd)
}

/** A path of a name in an open folder, for calls that take no descriptor. */
export function pathOf(folderFd: number, name: ByteString): ByteString {
  return `/proc/self/fd/${folderFd}/${name}`
}

/** makedev(3). */
export function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)]
  return ((high & ~0xfffn) << 32n) | ((high & 0xfffn) << 8n) | ((low & ~0xffn) << 12n) | (low & 0xffn)
}
