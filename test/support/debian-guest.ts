/**
 * A small Debian as a cloud would have it: systemd, cloud-init, sshd, Debian's cloud kernel. Built by mmdebstrap
 * from the sources that this machine's own apt has, and kept under node_modules/.cache/vm until its recipe changes.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, globSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'

export interface DebianGuest {
  /** A qcow2 image of a bare ext4 file system. */
  image: string
  kernel: string
  initrd: string
  append: string
}

export const debianGuestNeeds = [
  'mmdebstrap',
  'qemu-system-x86_64',
  'qemu-img',
  'mke2fs',
  'nft',
  'ip',
] as const

const packages = [
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'kmod', 'procps', 'e2fsprogs'],
  ...['linux-image-cloud-amd64', 'initramfs-tools', 'zstd'],
  ...['openssh-server', 'sudo', 'cloud-init', 'iproute2', 'nftables'],
]

const recipe = [
  '--variant=minbase',
  '--mode=root',
  '--format=directory',
  `--include=${packages.join(',')}`,
  '--aptopt=APT::Install-Recommends "false"',
  ...['doc', 'locale', 'man'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  // What brings the network up as cloud-init says it.
  '--customize-hook=chroot "$1" systemctl enable systemd-networkd',
  '--customize-hook=echo "/dev/vda / ext4 defaults 0 1" > "$1/etc/fstab"',
  // The guest is emulated: what no test looks at is left out.
  '--customize-hook=chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer',
  '--customize-hook=rm -rf "$1/var/cache/apt"/* "$1/var/lib/apt/lists"/*',
]

/** Built where it is not there yet, which takes some minutes. */
export function makeDebianGuest(): DebianGuest {
  const key = createHash('sha256').update(recipe.join('\n')).digest('hex').slice(0, 16)
  const cache = join(import.meta.dirname, '../../node_modules/.cache/vm')
  const folder = join(cache, `debian-${key}`)
  const guest = {
    image: join(folder, 'disk.qcow2'),
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd.img'),
    append: 'root=/dev/vda rw console=ttyS0 systemd.show_status=yes',
  }
  if (existsSync(folder)) return guest
  const unfinished = `${folder}.new`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true })
  const tree = join(unfinished, 'root')
  const release = /VERSION_CODENAME=(\w+)/.exec(
    execFileSync('cat', ['/etc/os-release'], { encoding: 'utf8' }),
  )![1]!
  const sources = globSync(['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.{sources,list}'])
  const quiet = { stdio: ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe'] }
  execFileSync('mmdebstrap', [...recipe, release, tree, ...sources], quiet)
  copyFileSync(globSync(join(tree, 'boot/vmlinuz-*'))[0]!, join(unfinished, 'vmlinuz'))
  copyFileSync(globSync(join(tree, 'boot/initrd.img-*'))[0]!, join(unfinished, 'initrd.img'))
  const raw = join(unfinished, 'disk.raw')
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', tree, raw, '1200M'], quiet)
  execFileSync('qemu-img', ['convert', '-O', 'qcow2', raw, join(unfinished, 'disk.qcow2')], quiet)
  rmSync(raw)
  rmSync(tree, { recursive: true })
  renameSync(unfinished, folder)
  return guest
}
