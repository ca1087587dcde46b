/** What the store and its unpacking thread say to each other. */
import type { Unpacked, UnpackJob } from './unpack.ts'

export type Task =
  | ({ kind: 'unpack' } & UnpackJob)
  /** Removes a folder and all in it, whatever its names are. */
  | { kind: 'remove'; folder: string }
  /** Copies a folder out of a root (copy-root.ts). */
  | { kind: 'copy'; layers: string[]; path: string; folder: string }
  /** Writes all of the folder's file system to its disk. */
  | { kind: 'sync'; folder: string }

export type ToThread = { id: number; task: Task }

export type FromThread =
  | { kind: 'done'; id: number; unpacked?: Unpacked }
  | { kind: 'progress'; id: number; current: number; total: number }
  /** A Failure loses its class on the way; code and parameters make it anew. */
  | { kind: 'failed'; id: number; failure: PlainFailure }

export interface PlainFailure {
  code: string
  message: string
  kind: 'user' | 'outside' | 'bug'
  exit: number
  http: number
  retryable: boolean
  next?: string
  cause?: string
}
