import { constants } from 'node:os'

const names = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]))

/** 2 -> "ENOENT" */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`
}

/** "ENOENT" -> 2 */
export const errnos = constants.errno

/** A system call that failed, with the fields that Node's own system errors have. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError'
  readonly code: string
  readonly errno: number
  readonly syscall: string
  constructor(syscall: string, errno: number, detail?: string) {
    super(`${syscall}: ${errnoName(errno)}${detail ? `, ${detail}` : ''}`)
    this.code = errnoName(errno)
    this.errno = errno
    this.syscall = syscall
  }
}
