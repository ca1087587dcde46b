import type { Tape } from '../../kernel/tape.ts'
import type { Hierarchy } from '../cgroups/hierarchy.ts'

/** What the kernel under us can do; found once, at the daemon's start (../features.ts). */
export interface Features {
  /** mount_setattr(2), since 5.12. */
  mountSetattr: boolean
  cgroups: Hierarchy
  /** Capabilities in our own bounding set: no container can have more. */
  bounding: bigint
  /** The highest capability that the kernel knows. */
  lastCapability: number
}

/** What the parts of a plan share. */
export interface PlanContext {
  tape: Tape
  features: Features
}

/** Descriptor numbers that a keeper starts with and holds to its end, whatever else it opens. */
export const keeperFd = {
  /** Where failures and the container's pid go; the same number as the player's. */
  report: 3,
  /** The exit record. */
  record: 4,
  /** Write end of the container's stdin, or the terminal's master. */
  stdin: 5,
  stdout: 6,
  stderr: 7,
  /** An eventfd: once it counts, the keeper closes its end of stdin, so that the container sees the end. */
  control: 8,
  /** An eventfd: once it counts, a daemon has all that the container wrote, and the keeper may go. */
  release: 9,
} as const

/** The first number for descriptors that only one container has: joined namespaces, an overlay's folder. */
export const firstExtraFd = 10
