import type { OptionTable } from '../driver.ts'

/** Names and variables are docker-machine's where it has the same thing. */
export const virtualboxOptions: OptionTable = {
  image: {
    summary: 'Cloud image: debian-13, debian-12, ubuntu-24.04, a file or a URL.',
    type: 'string',
    env: 'TSMACHINE_VIRTUALBOX_IMAGE',
    default: 'debian-13',
  },
  'image-checksum': {
    summary: "The image's digest as sha256:HEX or sha512:HEX, or the URL of a list of digests.",
    type: 'string',
    env: 'TSMACHINE_VIRTUALBOX_IMAGE_CHECKSUM',
  },
  memory: { summary: 'Memory in MB.', type: 'integer', env: 'VIRTUALBOX_MEMORY_SIZE', default: 2048 },
  'cpu-count': { summary: 'Number of CPUs.', type: 'integer', env: 'VIRTUALBOX_CPU_COUNT', default: 2 },
  'disk-size': {
    summary: 'Size of the disk in MB; it takes as much room as the guest writes.',
    type: 'integer',
    env: 'VIRTUALBOX_DISK_SIZE',
    default: 20_000,
  },
  'hostonly-cidr': {
    summary: "This computer's address in the host-only network, with the network's size.",
    type: 'string',
    env: 'VIRTUALBOX_HOSTONLY_CIDR',
    default: '192.168.56.1/24',
  },
  'share-folder': {
    summary: 'Folder of this computer to share, as FOLDER:NAME; the guest mounts it on /mnt/NAME.',
    type: 'string',
    env: 'VIRTUALBOX_SHARE_FOLDER',
  },
  'ui-type': {
    summary: 'How it is shown: headless, gui or sdl.',
    type: 'string',
    env: 'VIRTUALBOX_UI_TYPE',
    default: 'headless',
  },
  'ssh-user': {
    summary: 'User to make and to log in as.',
    type: 'string',
    env: 'TSMACHINE_VIRTUALBOX_SSH_USER',
    default: 'tsmachine',
  },
  'user-data': {
    summary: 'File of your own user data for cloud-init, merged with ours.',
    type: 'string',
    env: 'TSMACHINE_VIRTUALBOX_USER_DATA',
  },
}
