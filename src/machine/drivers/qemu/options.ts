import type { OptionTable } from '../driver.ts'

export const qemuOptions: OptionTable = {
  image: {
    summary:
      'Cloud image: debian-13, debian-12, ubuntu-24.04, a file (qcow2 or raw) or a URL. Debian 13 where neither it nor a kernel is given.',
    type: 'string',
    env: 'TSMACHINE_QEMU_IMAGE',
  },
  'image-checksum': {
    summary: "The image's digest as sha256:HEX or sha512:HEX, or the URL of a list of digests.",
    type: 'string',
    env: 'TSMACHINE_QEMU_IMAGE_CHECKSUM',
  },
  memory: { summary: 'Memory in MB.', type: 'integer', env: 'TSMACHINE_QEMU_MEMORY', default: 2048 },
  'cpu-count': { summary: 'Number of CPUs.', type: 'integer', env: 'TSMACHINE_QEMU_CPU_COUNT', default: 2 },
  'disk-size': {
    summary: 'Size of the disk in MB; it takes as much room as the guest writes.',
    type: 'integer',
    env: 'TSMACHINE_QEMU_DISK_SIZE',
    default: 20_000,
  },
  arch: {
    summary: "Architecture of the host: x64 or arm64; this machine's own when left out.",
    type: 'string',
    env: 'TSMACHINE_QEMU_ARCH',
  },
  accelerator: {
    summary: 'kvm, hvf or tcg (software emulation); the quickest that works when left out.',
    type: 'string',
    env: 'TSMACHINE_QEMU_ACCELERATOR',
  },
  'ssh-user': {
    summary: 'User to make and to log in as.',
    type: 'string',
    env: 'TSMACHINE_QEMU_SSH_USER',
    default: 'tsmachine',
  },
  'user-data': {
    summary: 'File of your own user data for cloud-init, merged with ours.',
    type: 'string',
    env: 'TSMACHINE_QEMU_USER_DATA',
  },
  forward: {
    summary:
      'Further port to forward, as [ADDRESS:]PORT:GUESTPORT[/udp]. Several: repeat it, or put commas between.',
    type: 'strings',
    env: 'TSMACHINE_QEMU_FORWARD',
  },
  firmware: {
    summary: 'UEFI firmware file; looked for where the architecture needs one.',
    type: 'string',
    env: 'TSMACHINE_QEMU_FIRMWARE',
  },
  kernel: {
    summary: 'Kernel to boot directly, without a boot loader.',
    type: 'string',
    env: 'TSMACHINE_QEMU_KERNEL',
  },
  initrd: { summary: 'Initial RAM disk for --qemu-kernel.', type: 'string', env: 'TSMACHINE_QEMU_INITRD' },
  append: { summary: 'Command line for --qemu-kernel.', type: 'string', env: 'TSMACHINE_QEMU_APPEND' },
}
