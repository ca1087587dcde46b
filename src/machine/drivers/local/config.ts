/**
 * The OCI configuration of a local host: a system of its own in all namespaces, with every right that this
 * machine has to give, since an engine has to run in it. A place to try things, not a security boundary.
 */

/** The parts of the OCI runtime specification that are used here. */
export interface OciConfig {
  ociVersion: string
  hostname: string
  root: { path: string; readonly: boolean }
  process: {
    terminal: boolean
    user: { uid: number; gid: number }
    args: string[]
    env: string[]
    cwd: string
    noNewPrivileges: boolean
    capabilities: Record<'bounding' | 'effective' | 'permitted', string[]>
    rlimits: { type: string; hard: number; soft: number }[]
  }
  mounts: { destination: string; type: string; source: string; options: string[] }[]
  linux: {
    cgroupsPath: string
    namespaces: { type: string; path?: string }[]
    resources: { devices: { allow: boolean; access: string }[] }
    devices: {
      path: string
      type: 'c'
      major: number
      minor: number
      fileMode: number
      uid: number
      gid: number
    }[]
    sysctl: Record<string, string>
    maskedPaths: string[]
    readonlyPaths: string[]
  }
}

export interface HostConfigOptions {
  name: string
  rootfs: string
  binds: readonly string[]
  netns: string
  cgroup: string
  /** Names of all capabilities in this machine's bounding set. */
  capabilities: string[]
  /** This machine's limit of open files. */
  openFiles: number
  devices: { path: string; major: number; minor: number }[]
}

export function hostConfig(options: HostConfigOptions): OciConfig {
  const { name, rootfs, binds, netns, cgroup, capabilities, openFiles, devices } = options
  return {
    ociVersion: '1.0.2',
    hostname: name,
    root: { path: rootfs, readonly: false },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ['/usr/bin/busybox', 'init'],
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'TERM=linux'],
      cwd: '/',
      noNewPrivileges: false,
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: openFiles, soft: openFiles }],
    },
    mounts: [
      ...baseMounts,
      ...binds.map((path) => ({ destination: path, type: 'bind', source: path, options: ['rbind', 'ro'] })),
    ],
    linux: {
      cgroupsPath: cgroup,
      namespaces: [
        { type: 'pid' },
        { type: 'mount' },
        { type: 'uts' },
        { type: 'ipc' },
        { type: 'cgroup' },
        { type: 'network', path: netns },
      ],
      resources: { devices: [{ allow: true, access: 'rwm' }] },
      devices: devices.map((device) => ({ ...device, type: 'c', fileMode: 0o666, uid: 0, gid: 0 })),
      sysctl: { 'net.ipv4.ip_forward': '1' },
      maskedPaths: [],
      readonlyPaths: [],
    },
  }
}

const baseMounts: OciConfig['mounts'] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'nodev', 'mode=1777'] },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/sys/fs/cgroup',
    type: 'cgroup',
    source: 'cgroup',
    options: ['nosuid', 'noexec', 'nodev', 'relatime'],
  },
  { destination: '/run', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'mode=755'] },
]

/** Capabilities by their number, as linux/capability.h counts them. */
const capabilityNames = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
]

/**
 * The names of the set bits of a mask as /proc/self/status has it ("000001fffeffffff"). Where a machine lacks
 * one, asking for it would fail the whole start.
 */
export function capabilitiesOf(mask: string): string[] {
  const bits = BigInt(`0x${mask.trim()}`)
  return capabilityNames.filter((_, i) => (bits >> BigInt(i)) & 1n).map((name) => `CAP_${name}`)
}
