/**
 * Mount options as the OCI specification and mount(8) name them -> flags, attributes and the file system's
 * own data.
 */
import * as c from '../../kernel/constants.ts'

export interface MountOptions {
  /** MS_* flags for mount(2). */
  flags: number
  bind: boolean
  recursive: boolean
  /** MOUNT_ATTR_* for mount_setattr(2): what a bind mount changes. */
  attrSet: number
  attrClear: number
  /** The same, to be applied to everything below the mount as well (rro and so on). */
  recursiveAttrSet: number
  recursiveAttrClear: number
  /** MS_SHARED, MS_SLAVE, MS_PRIVATE or MS_UNBINDABLE, with MS_REC or without. */
  propagation: number[]
  /** What is left, joined by commas: the file system's own. */
  data: string
  copyUp: boolean
}

/** [flag to set, flag to clear, attribute to set, attribute to clear] */
const plain: Record<string, [number, number, number, number]> = {
  defaults: [0, 0, 0, 0],
  ro: [c.MS_RDONLY, 0, c.MOUNT_ATTR_RDONLY, 0],
  rw: [0, c.MS_RDONLY, 0, c.MOUNT_ATTR_RDONLY],
  nosuid: [c.MS_NOSUID, 0, c.MOUNT_ATTR_NOSUID, 0],
  suid: [0, c.MS_NOSUID, 0, c.MOUNT_ATTR_NOSUID],
  nodev: [c.MS_NODEV, 0, c.MOUNT_ATTR_NODEV, 0],
  dev: [0, c.MS_NODEV, 0, c.MOUNT_ATTR_NODEV],
  noexec: [c.MS_NOEXEC, 0, c.MOUNT_ATTR_NOEXEC, 0],
  exec: [0, c.MS_NOEXEC, 0, c.MOUNT_ATTR_NOEXEC],
  noatime: [c.MS_NOATIME, 0, c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME],
  atime: [0, c.MS_NOATIME, 0, 0],
  relatime: [c.MS_RELATIME, 0, 0, c.MOUNT_ATTR__ATIME],
  norelatime: [0, c.MS_RELATIME, 0, 0],
  strictatime: [c.MS_STRICTATIME, 0, c.MOUNT_ATTR_STRICTATIME, c.MOUNT_ATTR__ATIME],
  nostrictatime: [0, c.MS_STRICTATIME, 0, 0],
  nodiratime: [c.MS_NODIRATIME, 0, c.MOUNT_ATTR_NODIRATIME, 0],
  diratime: [0, c.MS_NODIRATIME, 0, c.MOUNT_ATTR_NODIRATIME],
  nosymfollow: [c.MS_NOSYMFOLLOW, 0, c.MOUNT_ATTR_NOSYMFOLLOW, 0],
  symfollow: [0, c.MS_NOSYMFOLLOW, 0, c.MOUNT_ATTR_NOSYMFOLLOW],
  sync: [c.MS_SYNCHRONOUS, 0, 0, 0],
  async: [0, c.MS_SYNCHRONOUS, 0, 0],
  dirsync: [c.MS_DIRSYNC, 0, 0, 0],
  mand: [c.MS_MANDLOCK, 0, 0, 0],
  nomand: [0, c.MS_MANDLOCK, 0, 0],
  lazytime: [c.MS_LAZYTIME, 0, 0, 0],
  nolazytime: [0, c.MS_LAZYTIME, 0, 0],
  silent: [c.MS_SILENT, 0, 0, 0],
  loud: [0, c.MS_SILENT, 0, 0],
}

const propagations: Record<string, number> = {
  private: c.MS_PRIVATE,
  rprivate: c.MS_PRIVATE | c.MS_REC,
  shared: c.MS_SHARED,
  rshared: c.MS_SHARED | c.MS_REC,
  slave: c.MS_SLAVE,
  rslave: c.MS_SLAVE | c.MS_REC,
  unbindable: c.MS_UNBINDABLE,
  runbindable: c.MS_UNBINDABLE | c.MS_REC,
}

export function parseMountOptions(options: readonly string[] = []): MountOptions {
  const result: MountOptions = {
    flags: 0,
    bind: false,
    recursive: false,
    attrSet: 0,
    attrClear: 0,
    recursiveAttrSet: 0,
    recursiveAttrClear: 0,
    propagation: [],
    data: '',
    copyUp: false,
  }
  const data: string[] = []
  for (const option of options) {
    const flag = plain[option]
    const deep = option.startsWith('r') ? plain[option.slice(1)] : undefined
    if (flag) {
      result.flags = (result.flags & ~flag[1]) | flag[0]
      result.attrSet = (result.attrSet & ~flag[3]) | flag[2]
      result.attrClear = (result.attrClear & ~flag[2]) | flag[3]
    } else if (option === 'bind' || option === 'rbind') {
      result.bind = true
      result.recursive = option === 'rbind'
    } else if (propagations[option] !== undefined) {
      result.propagation.push(propagations[option])
    } else if (deep) {
      result.recursiveAttrSet = (result.recursiveAttrSet & ~deep[3]) | deep[2]
      result.recursiveAttrClear = (result.recursiveAttrClear & ~deep[2]) | deep[3]
    } else if (option === 'tmpcopyup') {
      result.copyUp = true
    } else {
      data.push(option)
    }
  }
  result.data = data.join(',')
  return result
}

/** The propagation of a root, as config.json names it. */
export function propagationFlag(name: string | undefined): number | undefined {
  return name ? propagations[name] : undefined
}
