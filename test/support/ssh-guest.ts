/**
 * The smallest guest that a driver of virtual machines can log in to: Debian's cloud kernel and an initramfs with
 * busybox and this machine's own sshd. It reads its NoCloud seed as cloud-init would: the host's key and the
 * user's come from there. It shuts down when its power button is pressed.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { copyModules } from '../vm/initramfs.ts'
import { fetchParts } from '../vm/parts.ts'
import { which } from './needs.ts'

const modules = [
  'virtio_pci',
  'virtio_blk',
  'virtio_net',
  'isofs',
  'button',
  'evdev',
  'virtio-rng',
  'af_packet',
]

const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /tmp /run/sshd /seed /root/.ssh /etc/acpi/PWRF /var/run
mount -t devpts devpts /dev/pts
for module in $(cat /modules/order); do insmod /modules/$module || echo "insmod $module failed"; done
ip link set lo up
ip link set eth0 up
udhcpc -i eth0 -q -n -t 20 -T 1 -s /etc/udhcpc
for disk in /dev/vd?; do mount -t iso9660 -o ro $disk /seed 2>/dev/null && break; done
sed -n 's/^ *hostname: //p' /seed/user-data > /proc/sys/kernel/hostname
awk '/ed25519_private:/ { on = 1; next } on && /^    / { sub(/^    /, ""); print; next } { on = 0 }' /seed/user-data > /etc/host_key
sed -n '/ssh_authorized_keys:/{n;s/^ *- //p}' /seed/user-data > /root/.ssh/authorized_keys
chmod 600 /etc/host_key /root/.ssh/authorized_keys
printf '#!/bin/sh\\npoweroff -f\\n' > /etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
acpid -f -l /dev/console &
/sbin/sshd -f /etc/sshd_config -h /etc/host_key -E /dev/console
echo "guest: ready"
while true; do sleep 3600; done
`

const udhcpc = `#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
ip route add default via $router
`

const sshdConfig = `PermitRootLogin prohibit-password
PasswordAuthentication no
UsePAM no
StrictModes no
`

export interface SshGuest {
  kernel: string
  initrd: string
  append: string
}

/** What it takes beside root. */
export const sshGuestNeeds = ['qemu-system-x86_64', 'busybox', 'sshd', 'cpio', 'depmod', 'apt-get'] as const

/** Made on the first use, and kept under node_modules/.cache/vm. */
export function makeSshGuest(): SshGuest {
  const parts = fetchParts('x64')
  const folder = join(import.meta.dirname, '../../node_modules/.cache/vm/x64/ssh-guest')
  const initrd = join(folder, 'initramfs.cpio.gz')
  const guest = { kernel: parts.kernel, initrd, append: 'console=ttyS0 panic=-1 quiet' }
  const tree = join(folder, `root.${process.pid}`)
  rmSync(tree, { recursive: true, force: true })
  for (const name of ['bin', 'dev', 'etc', 'proc', 'sys', 'root', 'sbin', 'modules', 'var/empty']) {
    mkdirSync(join(tree, name), { recursive: true })
  }
  copyFileSync(which('busybox')!, join(tree, 'bin/busybox'))
  chmodSync(join(tree, 'bin/busybox'), 0o755)
  copyWithLibraries(which('sshd')!, join(tree, 'sbin/sshd'), tree)
  copyModules(parts, join(tree, 'modules'), modules)
  const files = { init, 'etc/udhcpc': udhcpc, 'etc/sshd_config': sshdConfig }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(tree, name), text, { mode: 0o755 })
  const users = 'root:x:0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/bin/false\n'
  writeFileSync(join(tree, 'etc/passwd'), users)
  writeFileSync(join(tree, 'etc/group'), 'root:x:0:\n')
  const archive = `${initrd}.${process.pid}`
  // Level 1: the guest, emulated, unpacks it; and it is made in each run.
  execFileSync('sh', ['-c', `find . -print0 | cpio --null --quiet -o -H newc | gzip -1 > ${archive}`], {
    cwd: tree,
  })
  renameSync(archive, initrd)
  rmSync(tree, { recursive: true })
  return guest
}

function copyWithLibraries(program: string, to: string, tree: string): void {
  copyFileSync(program, to)
  chmodSync(to, 0o755)
  for (const line of execFileSync('ldd', [program], { encoding: 'utf8' }).split('\n')) {
    const path = /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1]
    if (!path || !existsSync(path)) continue
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    execFileSync('cp', ['-L', path, join(tree, path)])
  }
}
