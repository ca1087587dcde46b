/** The guest's root: busybox, node, koffi, a few kernel modules, and the suite in one file. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { GuestArch, GuestParts } from './parts.ts'

/** What our engine needs of the kernel that Debian builds as modules. */
const modules = [
  'overlay',
  'veth',
  'bridge',
  'vxlan',
  'nf_tables',
  'nft_ct',
  'nft_nat',
  'nft_masq',
  'nft_chain_nat',
  'nft_fib',
  'nft_fib_ipv4',
  'nft_numgen',
  'br_netfilter',
  'dummy',
]

/**
 * The root file system in memory can't be left by pivot_root(2), which containers need; so the tests run in a
 * bind mount of it, whose parent it is.
 */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /tmp /run
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
for module in $(cat /modules/order); do insmod /modules/$module || echo "insmod $module failed"; done
mkdir -p /root/guest
mount --rbind / /root/guest
cd /root/guest
HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot . /bin/node /suite/suite.mjs
echo "guest: exit $?"
poweroff -f
`

/** Builds the archive. @param suite folder with suite.mjs and its workers */
export function makeInitramfs(parts: GuestParts, arch: GuestArch, suite: string, folder: string): string {
  rmSync(folder, { recursive: true, force: true })
  const tree = join(folder, 'root')
  for (const name of [
    'bin',
    'dev',
    'etc',
    'lib',
    'lib64',
    'proc',
    'sys',
    'usr/lib',
    'modules',
    'tmp',
    'run',
    'root',
  ]) {
    mkdirSync(join(tree, name), { recursive: true })
  }
  copyFileSync(parts.busybox, join(tree, 'bin/busybox'))
  chmodSync(join(tree, 'bin/busybox'), 0o755)
  copyFileSync(parts.node, join(tree, 'bin/node'))
  const triple = arch === 'x64' ? 'x86_64-linux-gnu' : 'aarch64-linux-gnu'
  for (const from of [`lib/${triple}`, `usr/lib/${triple}`]) {
    for (const library of [
      'libc.so.6',
      'libm.so.6',
      'libdl.so.2',
      'libpthread.so.0',
      'librt.so.1',
      'libstdc++.so.6',
      'libgcc_s.so.1',
      'libatomic.so.1',
      'ld-linux-x86-64.so.2',
      'ld-linux-aarch64.so.1',
    ]) {
      const path = join(parts.tree, from, library)
      if (existsSync(path)) execFileSync('cp', ['-L', path, join(tree, 'lib', library)])
    }
  }
  if (arch === 'x64') symlinkSync('../lib/ld-linux-x86-64.so.2', join(tree, 'lib64/ld-linux-x86-64.so.2'))
  cpSync(suite, join(tree, 'suite'), { recursive: true })
  copyFileSync(parts.koffi, join(tree, 'suite/koffi.node'))
  copyModules(parts, join(tree, 'modules'), modules)
  writeFileSync(join(tree, 'init'), init, { mode: 0o755 })
  writeFileSync(join(tree, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  const archive = join(folder, 'initramfs.cpio')
  execFileSync('sh', ['-c', `find . -print0 | cpio --null --quiet -o -H newc > ${archive}`], { cwd: tree })
  return archive
}

/** The modules with all they depend on, in an order in which insmod takes them. */
export function copyModules(parts: GuestParts, to: string, names: readonly string[]): void {
  const base = join(parts.tree, 'lib/modules', parts.kernelRelease)
  // Debian's package has no modules.dep: depmod makes it where the package is installed.
  execFileSync('depmod', ['-b', parts.tree, parts.kernelRelease])
  const dependencies = new Map(
    readFileSync(join(base, 'modules.dep'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => {
        const [path, rest = ''] = line.split(':') as [string, string?]
        return [path, rest.trim().split(' ').filter(Boolean)] as const
      }),
  )
  const order: string[] = []
  const add = (path: string) => {
    for (const dependency of (dependencies.get(path) ?? []).toReversed()) add(dependency)
    if (!order.includes(path)) order.push(path)
  }
  for (const name of names) {
    const path = [...dependencies.keys()].find((p) => p.endsWith(`/${name}.ko`))
    if (path) add(path)
  }
  for (const path of order) {
    mkdirSync(join(to, dirname(path)), { recursive: true })
    copyFileSync(join(base, path), join(to, path))
  }
  writeFileSync(join(to, 'order'), order.join('\n'))
}
