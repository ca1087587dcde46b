/**
 * UEFI for guests whose machine has no firmware of its own.
 */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fail } from '../../errors.ts'
import type { ImageArch } from '../vm/images.ts'

/** Where Debian, Fedora, Arch and QEMU's own builds have it. */
const places = [
  '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd',
  '/usr/share/AAVMF/AAVMF_CODE.fd',
  '/usr/share/edk2/aarch64/QEMU_EFI.fd',
  '/usr/share/edk2/aarch64/QEMU_CODE.fd',
  '/usr/share/qemu/edk2-aarch64-code.fd',
]

/**
 * The firmware file: the one given; for arm64 without a kernel the one found; undefined where QEMU brings its own.
 * @throws E_PROGRAM_MISSING
 */
export function firmwareFor(
  arch: ImageArch,
  given: string | undefined,
  hasKernel: boolean,
  emulator: string,
): string | undefined {
  if (given !== undefined) return resolve(given)
  if (arch !== 'arm64' || hasKernel) return undefined
  // Homebrew and the Windows installer put it beside the program.
  const beside = ['../share/qemu', 'share'].map((folder) =>
    join(dirname(emulator), folder, 'edk2-aarch64-code.fd'),
  )
  const found = [...places, ...beside].find((path) => existsSync(path))
  if (found) return found
  throw fail('E_PROGRAM_MISSING', {
    program: 'UEFI firmware for arm64',
    how: 'apt-get install -y --no-install-recommends qemu-efi-aarch64, or name it with --qemu-firmware',
  })
}
