/** What a test needs and may not have. A missing thing skips the test, says so, and is counted as skipped. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export const isRoot = process.getuid?.() === 0

/** The full path of a program, or undefined. */
export function which(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/bin', '/bin']
  return folders.map((f) => join(f, program)).find((p) => existsSync(p))
}

const packages: Record<string, string> = {
  busybox: 'busybox-static',
  crun: 'crun',
  runc: 'runc',
  nft: 'nftables',
  ip: 'iproute2',
  sshd: 'openssh-server',
  strace: 'strace',
  depmod: 'kmod',
  cpio: 'cpio',
  docker: 'docker-cli',
  as: 'binutils',
  'aarch64-linux-gnu-as': 'binutils-aarch64-linux-gnu',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-system-aarch64': 'qemu-system-arm',
  'qemu-img': 'qemu-utils',
  mke2fs: 'e2fsprogs',
}

/**
 * The reason why a test that needs root and these programs can't run here, or undefined when it can.
 * Use: `describe.skipIf(missing('busybox'))`, with the reason in the title.
 */
export function missing(...programs: string[]): string | undefined {
  if (!isRoot) return 'needs root'
  const absent = programs.filter((p) => !which(p)).map((p) => packages[p] ?? p)
  return absent.length > 0 ? `needs Debian's ${absent.join(', ')}` : undefined
}

/** "title", or "title (skipped: needs root)". */
export function titled(title: string, reason: string | undefined): string {
  if (reason) console.warn(`skipped: ${title}: ${reason}`)
  return reason ? `${title} (skipped: ${reason})` : title
}
