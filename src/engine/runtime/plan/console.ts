/**
 * A terminal: opened from the container's own devpts, its slave by descriptor (TIOCGPTPEER) and never by name
 * (CVE-2025-52565), its master sent to the keeper over a socket pair.
 */
import * as c from '../../kernel/constants.ts'
import type { Tape } from '../../kernel/tape.ts'
import type { Process } from '../spec.ts'
import { cloneFd, moveMount } from './attach.ts'
import type { PlanContext } from './context.ts'
import { openDestination, openInRoot } from './paths.ts'

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_CLOEXEC = c.O_CLOEXEC
const SOL_SOCKET = 1
const SCM_RIGHTS = 1
const MSG_CMSG_CLOEXEC = 0x40000000
const MSG_NOSIGNAL = 0x4000

/** The two ends, made before the clone. */
export function planConsolePair(tape: Tape): { keeper: number; child: number } {
  const keeper = tape.takeFd()
  const child = tape.takeFd()
  const pair = tape.reserve(8)
  tape.call('make the console socket', 'socketpair', [AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair], {
    check: { address: pair + 4, value: child },
  })
  return { keeper, child }
}

/** The container's side, when its /dev/pts is mounted: streams 0 to 2 and /dev/console become the terminal. */
export function planConsole(context: PlanContext, root: number, process: Process, socket: number): void {
  const { tape } = context
  const slave = openTerminal(tape, root, process, socket)
  const at = openDestination(tape, root, '/dev/console', 'file')
  const clone = cloneFd(context, slave, 'the terminal', false)
  moveMount(context, clone, at, '/dev/console')
  tape.close(clone)
  tape.close(at)
  takeTerminal(tape, slave)
}

/** The same for a process that enters a container: its terminal comes from the container's devpts. */
export function planTerminalOnly({ tape }: PlanContext, process: Process, socket: number): void {
  const root = tape.callFd('open the root', 'openat', [
    c.AT_FDCWD,
    tape.string('/'),
    c.O_PATH | c.O_DIRECTORY | c.O_CLOEXEC,
    0,
  ])
  const slave = openTerminal(tape, root, process, socket)
  tape.close(root)
  takeTerminal(tape, slave)
}

/** Makes a terminal, sends its master to the keeper, and returns its slave. */
function openTerminal(tape: Tape, root: number, process: Process, socket: number): number {
  const master = openInRoot(tape, root, '/dev/pts/ptmx', { flags: c.O_RDWR | c.O_NOCTTY })
  tape.call('unlock the terminal', 'ioctl', [master, c.TIOCSPTLCK, tape.reserve(4)])
  const slave = tape.callFd('open the terminal', 'ioctl', [
    master,
    c.TIOCGPTPEER,
    c.O_RDWR | c.O_NOCTTY | c.O_CLOEXEC,
  ])
  const size = Buffer.alloc(8) // struct winsize
  size.writeUInt16LE(process.consoleSize?.height ?? 0, 0)
  size.writeUInt16LE(process.consoleSize?.width ?? 0, 2)
  tape.call('set the size of the terminal', 'ioctl', [master, c.TIOCSWINSZ, tape.bytes(size)])
  sendFd(tape, socket, master)
  tape.close(master)
  tape.close(socket)
  return slave
}

/** The session's controlling terminal, on streams 0 to 2. */
function takeTerminal(tape: Tape, slave: number): void {
  tape.call('take the terminal', 'ioctl', [slave, c.TIOCSCTTY, 0])
  for (const fd of [0, 1, 2]) tape.dupTo(`make the terminal stream ${fd}`, slave, fd)
  tape.close(slave)
}

/** The keeper's side: waits for the master and gives it the number `to`. A child that died sends none. */
export function planReceiveConsole(tape: Tape, socket: number, to: number): void {
  const control = Buffer.alloc(24)
  const message = messageHeader(tape, tape.reserve(1), tape.bytes(control))
  const gone = tape.label()
  const before = tape.fds()
  const received = tape.takeFd()
  const nothing = tape.label()
  tape.call('receive the terminal', 'recvmsg', [socket, message, MSG_CMSG_CLOEXEC], { nonzeroTo: nothing })
  tape.jump(gone)
  tape.place(nothing)
  tape.dupTo('hold the terminal', received, to, c.O_CLOEXEC)
  tape.close(received)
  tape.setFds(new Set([...before, to]))
  tape.place(gone)
}

function sendFd(tape: Tape, socket: number, fd: number): void {
  const control = Buffer.alloc(24)
  control.writeBigUInt64LE(20n, 0) // CMSG_LEN(4)
  control.writeInt32LE(SOL_SOCKET, 8)
  control.writeInt32LE(SCM_RIGHTS, 12)
  control.writeInt32LE(fd, 16)
  const message = messageHeader(tape, tape.reserve(1), tape.bytes(control))
  tape.call('hand the terminal over', 'sendmsg', [socket, message, MSG_NOSIGNAL])
}

/** struct msghdr with one byte of data and 24 of control. */
function messageHeader(tape: Tape, byte: number, control: number): number {
  const vector = Buffer.alloc(16)
  vector.writeUInt32LE(byte, 0)
  vector.writeUInt32LE(1, 8)
  const header = Buffer.alloc(56)
  header.writeUInt32LE(tape.bytes(vector), 16)
  header.writeUInt32LE(1, 24)
  header.writeUInt32LE(control, 32)
  header.writeUInt32LE(24, 40)
  return tape.bytes(header)
}
