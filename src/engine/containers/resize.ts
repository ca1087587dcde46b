import { TIOCSWINSZ } from '../kernel/constants.ts'
import { ioctl } from '../kernel/libc.ts'
import type { Running } from '../runtime/running.ts'
import { fail } from './errors.ts'

/** Tells a terminal its size, and so its program (SIGWINCH). @throws E_NOT_RUNNING, E_PARAMETER */
export function resizeTerminal(
  running: Running | undefined,
  size: { height: number; width: number },
  id: string,
): void {
  if (!running) throw fail('E_NOT_RUNNING', { id })
  if (!running.record.terminal || running.stdinFd === undefined) {
    throw fail('E_PARAMETER', { name: 'resize', problem: 'there is no terminal' })
  }
  for (const value of [size.height, size.width]) {
    if (value < 0 || value > 0xffff) throw fail('E_PARAMETER', { name: 'size', problem: String(value) })
  }
  const winsize = Buffer.alloc(8)
  winsize.writeUInt16LE(size.height, 0)
  winsize.writeUInt16LE(size.width, 2)
  ioctl(running.stdinFd, TIOCSWINSZ, winsize)
}
