/**
 * The door to the kernel: glibc's functions through koffi, each turned into one that throws. The only file
 * that loads koffi, and so Linux only. All calls are synchronous on the calling thread; those that may block
 * for long are for the poll thread (poll-thread.ts) alone.
 */
import { constants } from 'node:os'
import koffi from 'koffi'
import { O_CLOEXEC, O_NONBLOCK } from './constants.ts'
import { SystemCallError } from './errno.ts'

const libc = koffi.load('libc.so.6')

/** A pointer argument: bytes, or null. */
type Pointer = Uint8Array | null

function bind<A extends unknown[]>(name: string, declaration: string): (...args: A) => number {
  const fn = libc.func(declaration) as (...args: unknown[]) => number
  return (...args: A) => {
    const result = Number(fn(...args))
    if (result < 0) throw new SystemCallError(name, koffi.errno())
    return result
  }
}

/** The same without the throw: the result, or -errno. */
function bindQuiet<A extends unknown[]>(declaration: string): (...args: A) => number {
  const fn = libc.func(declaration) as (...args: unknown[]) => number
  return (...args: A) => {
    const result = Number(fn(...args))
    return result < 0 ? -koffi.errno() : result
  }
}

export const closeFd = bind<[fd: number]>('close', 'int close(int)')
export const dupFd = bind<[fd: number, command: number, lowest: number]>('fcntl', 'int fcntl(int, int, int)')
export const fcntl = bind<[fd: number, command: number, argument: number]>(
  'fcntl',
  'int fcntl(int, int, int)',
)
export const memfdCreate = bind<[name: string, flags: number]>(
  'memfd_create',
  'int memfd_create(const char *, uint)',
)
export const readFd = bind<[fd: number, into: Uint8Array, size: number]>(
  'read',
  'long read(int, void *, size_t)',
)
export const writeFd = bind<[fd: number, from: Uint8Array, size: number]>(
  'write',
  'long write(int, void *, size_t)',
)
export const readFdQuiet = bindQuiet<[fd: number, into: Uint8Array, size: number]>(
  'long read(int, void *, size_t)',
)
export const openPath = bind<[path: string, flags: number, mode: number]>(
  'open',
  'int open(const char *, int, uint)',
)
export const ioctl = bind<[fd: number, request: number, argument: Pointer]>(
  'ioctl',
  'int ioctl(int, ulong, void *)',
)
/** Takes or lets go of the lock of an open file (flock(2)); it ends with the last descriptor of that opening. */
export const flock = bind<[fd: number, operation: number]>('flock', 'int flock(int, int)')
export const setns = bind<[fd: number, type: number]>('setns', 'int setns(int, int)')
export const unshare = bind<[flags: number]>('unshare', 'int unshare(int)')
export const mountCall = bind<
  [source: string | null, target: string, type: string | null, flags: number, data: string | null]
>('mount', 'int mount(const char *, const char *, const char *, ulong, const char *)')
export const umount2 = bind<[target: string, flags: number]>('umount2', 'int umount2(const char *, int)')
export const pidfdOpen = bind<[number: number, pid: number, flags: number]>(
  'pidfd_open',
  'long syscall(long, int, uint)',
)

const one = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0])
const eventfdCall = bind<[initial: number, flags: number]>('eventfd', 'int eventfd(uint, int)')
const mkfifo = bind<[path: string, mode: number]>('mkfifo', 'int mkfifo(const char *, uint)')
const socketCall = bind<[domain: number, type: number, protocol: number]>(
  'socket',
  'int socket(int, int, int)',
)
const connectCall = bind<[fd: number, address: Uint8Array, size: number]>(
  'connect',
  'int connect(int, void *, uint)',
)

export function makeFifo(path: string, mode: number): void {
  mkfifo(path, mode)
}

/** A counter that others can wait for; close-on-exec, not blocking (eventfd(2)). */
export function makeEventFd(): number {
  return eventfdCall(0, O_CLOEXEC | O_NONBLOCK)
}

/** Adds one to an eventfd. */
export function raiseEventFd(fd: number): void {
  writeFd(fd, one, one.length)
}

/** A socket (socket(2)); the type's flags are the caller's. */
export function openSocket(domain: number, type: number, protocol: number): number {
  return socketCall(domain, type, protocol)
}

/** A connected stream socket of the file system, close-on-exec. */
export function connectUnix(path: string): number {
  const AF_UNIX = 1
  const SOCK_STREAM = 1
  const name = Buffer.from(path)
  if (name.length > 107) throw new SystemCallError('connect', constants.errno.ENAMETOOLONG, path)
  const address = Buffer.alloc(110)
  address.writeUInt16LE(AF_UNIX, 0)
  name.copy(address, 2)
  const fd = socketCall(AF_UNIX, SOCK_STREAM | O_CLOEXEC, 0)
  try {
    connectCall(fd, address, address.length)
    return fd
  } catch (error) {
    closeFd(fd)
    throw error
  }
}

const pipe2Raw = libc.func('int pipe2(_Out_ int *, int)') as (fds: number[], flags: number) => number

/** A pipe's read and write end. */
export function pipe(flags: number): [read: number, write: number] {
  const fds = [0, 0]
  if (pipe2Raw(fds, flags) < 0) throw new SystemCallError('pipe2', koffi.errno())
  return [fds[0]!, fds[1]!]
}

const syscallRaw = libc.func('long syscall(long, int64, int64, int64, int64, int64, int64)') as (
  ...args: (number | bigint)[]
) => number

/** A raw system call whose arguments are all numbers (or addresses from `addressOf`). @throws SystemCallError */
export function rawCall(name: string, number: number, ...args: (number | bigint)[]): number {
  const result = Number(syscallRaw(number, ...args, ...new Array<number>(6 - args.length).fill(0)))
  if (result < 0) throw new SystemCallError(name, koffi.errno())
  return result
}

/** Where a buffer lies; valid while the caller holds the buffer. */
export function addressOf(buffer: Uint8Array): bigint {
  return koffi.address(buffer)
}

/** glibc's other libraries, for the wrappers beside this one (nft.ts). */
export function loadLibrary(name: string): ReturnType<typeof koffi.load> {
  return koffi.load(name)
}
