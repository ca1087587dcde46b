/** What the main thread and the poll thread say to each other. Descriptors are shared: threads have one table. */

/** A pipe or a terminal whose bytes go to a file as they come. */
export interface Capture {
  /** Read end of the pipe, or the terminal's master; not blocking. The poll thread closes it. */
  fd: number
  /** The spool file, opened for writing; its size is what has been captured. The poll thread closes it. */
  spoolFd: number
  /** Where in the spool the next byte goes. */
  offset: number
  /** 1 for stdout, 2 for stderr, as in the index. */
  stream: number
  terminal?: boolean
}

/** The process that a watched one keeps: its end comes first, then its pipes are emptied, then it is told. */
export interface Kept {
  /** Undefined where it has ended already. The poll thread closes it. */
  pidfd?: number
  /** An eventfd that lets the watched process go once the pipes are empty. The poll thread closes it. */
  releaseFd: number
}

/** A process with the pipes that must be empty before its end is told. */
export interface Watch {
  id: number
  /** The process's pidfd. The poll thread closes it. */
  pidfd: number
  /** Without one, the end of the process itself is what counts. */
  kept?: Kept
  captures: Capture[]
  /** The index file, opened for appending: a record for each portion captured. The poll thread closes it. */
  indexFd?: number
}

export type ToPoll =
  | { kind: 'watch'; watch: Watch }
  /** Whether somebody wants to know of new bytes. */
  | { kind: 'follow'; id: number; on: boolean }
  | { kind: 'stop' }

export type FromPoll =
  | { kind: 'ready' }
  /** New bytes are in the spool and in the index. */
  | { kind: 'bytes'; id: number }
  /** The process has ended, its pipes are drained, and if it was our child it is reaped. */
  | { kind: 'exit'; id: number; status?: number }
  | { kind: 'error'; id: number; message: string }

/** A record of the index: {u64 time in ns since 1970, u64 end offset in the stream's spool, u32 stream, u32 0}. */
export const indexRecordSize = 24
