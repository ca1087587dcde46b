/**
 * What differs between the two architectures: the player, the numbers, and what seccomp must know.
 */
import * as arm64Player from './player/arm64.ts'
import { assemble, type Line } from './player/player.ts'
import * as x64Player from './player/x64.ts'
import { arm } from './syscalls/arm.ts'
import { arm64 } from './syscalls/arm64.ts'
import { i386 } from './syscalls/i386.ts'
import { x32 } from './syscalls/x32.ts'
import { x64 } from './syscalls/x64.ts'

/** One system call table as seccomp sees it: by audit architecture, and by a bit of the number (x32). */
export interface Abi {
  /** libseccomp's name, as profiles write it. */
  name: string
  /** AUDIT_ARCH_* of linux/audit.h. */
  audit: number
  numbers: Readonly<Record<string, number>>
  /** Set in every number of this table (__X32_SYSCALL_BIT). */
  numberBit: number
}

export interface Arch {
  /** As `process.arch` names it. */
  name: 'x64' | 'arm64'
  /** As OCI and Go name it. */
  goName: 'amd64' | 'arm64'
  /** e_machine of elf.h. */
  machine: number
  /** Numbers of the native table. */
  numbers: Readonly<Record<string, number>>
  listing: (firstEntry?: number) => Line[]
  /** The player's code, started at the given entry. */
  player: (firstEntry: number) => Buffer
  /** What the data segment's place in the file must be a multiple of: the largest page of the architecture. */
  segmentAlign: number
  /** The native table first. */
  abis: Abi[]
}

const x64Arch: Arch = {
  name: 'x64',
  goName: 'amd64',
  machine: 62,
  numbers: x64,
  listing: x64Player.listing,
  player: (firstEntry) => assemble(x64Player.listing(firstEntry)),
  segmentAlign: 0x1000,
  abis: [
    { name: 'SCMP_ARCH_X86_64', audit: 0xc000003e, numbers: x64, numberBit: 0 },
    { name: 'SCMP_ARCH_X86', audit: 0x40000003, numbers: i386, numberBit: 0 },
    { name: 'SCMP_ARCH_X32', audit: 0xc000003e, numbers: x32, numberBit: 0x40000000 },
  ],
}

const arm64Arch: Arch = {
  name: 'arm64',
  goName: 'arm64',
  machine: 183,
  numbers: arm64,
  listing: arm64Player.listing,
  player: (firstEntry) => assemble(arm64Player.listing(firstEntry)),
  segmentAlign: 0x10000,
  abis: [
    { name: 'SCMP_ARCH_AARCH64', audit: 0xc00000b7, numbers: arm64, numberBit: 0 },
    { name: 'SCMP_ARCH_ARM', audit: 0x40000028, numbers: arm, numberBit: 0 },
  ],
}

export const archs: Record<string, Arch> = { x64: x64Arch, arm64: arm64Arch }

/**
 * This process's architecture.
 * @throws RangeError on any but x86-64 and arm64
 */
export function hostArch(): Arch {
  const arch = archs[process.arch]
  if (!arch) throw new RangeError(`no tape player for ${process.arch}: only x64 and arm64`)
  return arch
}
