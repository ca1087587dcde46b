/** Constants of the kernel's headers, by their own names. Those that Node has (os.constants) are not repeated. */

// sched.h, linux/sched.h: clone(2)
export const CLONE_PIDFD = 0x1000
export const CLONE_PARENT_SETTID = 0x100000
export const CLONE_NEWTIME = 0x80
export const CLONE_NEWNS = 0x20000
export const CLONE_NEWCGROUP = 0x2000000
export const CLONE_NEWUTS = 0x4000000
export const CLONE_NEWIPC = 0x8000000
export const CLONE_NEWUSER = 0x10000000
export const CLONE_NEWPID = 0x20000000
export const CLONE_NEWNET = 0x40000000
export const CLONE_PARENT = 0x8000
export const CLONE_INTO_CGROUP = 0x200000000

// fcntl.h
export const AT_FDCWD = -100
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000
export const AT_SYMLINK_NOFOLLOW = 0x100
export const O_RDONLY = 0
export const O_WRONLY = 1
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_NOCTTY = 0o400
export const O_APPEND = 0o2000
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
export const O_PATH = 0o10000000
export const F_DUPFD_CLOEXEC = 1030
export const F_SETPIPE_SZ = 1031
export const F_ADD_SEALS = 1033
export const F_SEAL_ALL = 0xf // SEAL, SHRINK, GROW, WRITE
/** O_DIRECTORY and O_NOFOLLOW differ between the architectures (asm/fcntl.h). */
export const O_DIRECTORY = process.arch === 'arm64' ? 0o40000 : 0o200000
export const O_NOFOLLOW = process.arch === 'arm64' ? 0o100000 : 0o400000

// sys/mman.h
export const MFD_CLOEXEC = 1
export const MFD_ALLOW_SEALING = 2
export const MFD_EXEC = 0x10

// linux/openat2.h
export const RESOLVE_NO_XDEV = 0x01
export const RESOLVE_NO_MAGICLINKS = 0x02
export const RESOLVE_NO_SYMLINKS = 0x04
export const RESOLVE_BENEATH = 0x08
export const RESOLVE_IN_ROOT = 0x10

// sys/mount.h, linux/mount.h
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_SYNCHRONOUS = 16
export const MS_REMOUNT = 32
export const MS_MANDLOCK = 64
export const MS_DIRSYNC = 128
export const MS_NOSYMFOLLOW = 256
export const MS_NOATIME = 1024
export const MS_NODIRATIME = 2048
export const MS_BIND = 4096
export const MS_REC = 16384
export const MS_SILENT = 32768
export const MS_UNBINDABLE = 1 << 17
export const MS_PRIVATE = 1 << 18
export const MS_SLAVE = 1 << 19
export const MS_SHARED = 1 << 20
export const MS_RELATIME = 1 << 21
export const MS_STRICTATIME = 1 << 24
export const MS_LAZYTIME = 1 << 25
export const MNT_DETACH = 2
export const OPEN_TREE_CLONE = 1
export const OPEN_TREE_CLOEXEC = O_CLOEXEC
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40
export const MOUNT_ATTR_RDONLY = 0x1
export const MOUNT_ATTR_NOSUID = 0x2
export const MOUNT_ATTR_NODEV = 0x4
export const MOUNT_ATTR_NOEXEC = 0x8
export const MOUNT_ATTR__ATIME = 0x70
export const MOUNT_ATTR_NOATIME = 0x10
export const MOUNT_ATTR_STRICTATIME = 0x20
export const MOUNT_ATTR_NODIRATIME = 0x80
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000

// linux/magic.h
export const PROC_SUPER_MAGIC = 0x9fa0

// linux/stat.h
export const S_IFREG = 0o100000
export const S_IFCHR = 0o020000
export const S_IFBLK = 0o060000
export const S_IFIFO = 0o010000

// linux/prctl.h
export const PR_SET_DUMPABLE = 4
export const PR_SET_KEEPCAPS = 8
export const PR_SET_NAME = 15
export const PR_CAPBSET_DROP = 24
export const PR_SET_NO_NEW_PRIVS = 38
export const PR_CAP_AMBIENT = 47
export const PR_CAP_AMBIENT_RAISE = 2
export const PR_CAP_AMBIENT_CLEAR_ALL = 4

// linux/wait.h
export const P_PIDFD = 3
export const WEXITED = 4
export const WNOHANG = 1
export const CLD_EXITED = 1
export const CLD_KILLED = 2
export const CLD_DUMPED = 3

// linux/keyctl.h
export const KEYCTL_JOIN_SESSION_KEYRING = 1

// linux/seccomp.h
export const SECCOMP_SET_MODE_FILTER = 1
export const SECCOMP_FILTER_FLAG_TSYNC = 1
export const SECCOMP_FILTER_FLAG_LOG = 2
export const SECCOMP_FILTER_FLAG_SPEC_ALLOW = 4

// asm-generic/ioctls.h, linux/sockios.h
export const TIOCSCTTY = 0x540e
export const TIOCSWINSZ = 0x5414
export const TIOCSPTLCK = 0x40045431
export const TIOCGPTPEER = 0x5441
export const SIOCSIFFLAGS = 0x8914

// sys/epoll.h, sys/eventfd.h
export const EPOLL_CLOEXEC = O_CLOEXEC
export const EPOLL_CTL_ADD = 1
export const EPOLL_CTL_DEL = 2
export const EPOLL_CTL_MOD = 3
export const EPOLLIN = 1
export const EPOLLERR = 8
export const EPOLLHUP = 16
export const EPOLLONESHOT = 1 << 30
export const EFD_CLOEXEC = O_CLOEXEC
export const EFD_NONBLOCK = O_NONBLOCK

// fcntl.h: splice(2)
export const SPLICE_F_MOVE = 1
export const SPLICE_F_NONBLOCK = 2
