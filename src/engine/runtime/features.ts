import { readFileSync } from 'node:fs'
import { errnoOf } from '../../shared/errors.ts'
import { hostArch } from '../kernel/arch.ts'
import { rawCall } from '../kernel/libc.ts'
import { detectHierarchy } from './cgroups/hierarchy.ts'
import type { Features } from './plan/context.ts'

/** Finds out what this kernel and this process can do. @throws E_NO_CGROUPS */
export function detectFeatures(): Features {
  const status = readFileSync('/proc/self/status', 'utf8')
  return {
    mountSetattr: hasCall('mount_setattr'),
    cgroups: detectHierarchy(),
    bounding: BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)![1]}`),
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8')),
  }
}

/** A call with senseless arguments fails with ENOSYS only where it does not exist. */
function hasCall(name: string): boolean {
  try {
    rawCall(name, hostArch().numbers[name]!, -1, 0, 0xffff, 0, 0)
    return true
  } catch (error) {
    return errnoOf(error) !== 'ENOSYS'
  }
}
