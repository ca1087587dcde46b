/**
 * The files of a local host's own /etc: what a small Debian system has, with the client's keys, and nothing of
 * this machine that isn't readable by everyone anyway.
 */
import { createHash } from 'node:crypto'

export interface EtcOptions {
  name: string
  id: string
  address: string
  /** Lines of the machine's resolv.conf that name servers outside. */
  resolvConf: string
  userPublicKey: string
  hostKey: { private: string; public: string }
}

export interface HostFile {
  path: string
  text: string
  mode: number
}

/** Own files of the host, by absolute path inside it. */
export function hostFiles(options: EtcOptions): HostFile[] {
  const { name, id, address, resolvConf, userPublicKey, hostKey } = options
  const file = (path: string, text: string, mode = 0o644): HostFile => ({ path, text, mode })
  return [
    file('/etc/hostname', `${name}\n`),
    file('/etc/hosts', `127.0.0.1 localhost\n::1 localhost ip6-localhost\n${address} ${name}\n`),
    file('/etc/resolv.conf', resolvConf),
    file('/etc/machine-id', `${createHash('sha256').update(id).digest('hex').slice(0, 32)}\n`),
    file('/etc/passwd', passwd),
    file('/etc/group', group),
    file(
      '/etc/shadow',
      'root:*:19000:0:99999:7:::\nsshd:!:19000::::::\nnobody:*:19000:0:99999:7:::\n',
      0o600,
    ),
    file('/etc/inittab', inittab),
    file('/etc/tsmachine/boot', bootScript, 0o755),
    file('/etc/tsmachine/shutdown', shutdownScript, 0o755),
    file('/etc/ssh/sshd_config', sshdConfig),
    file('/etc/ssh/ssh_host_ed25519_key', hostKey.private, 0o600),
    file('/etc/ssh/ssh_host_ed25519_key.pub', `${hostKey.public}\n`),
    file('/root/.ssh/authorized_keys', `${userPublicKey}\n`, 0o600),
  ]
}

/** What is copied from this machine's /etc: only what everyone may read, and nothing that names a secret. */
export const copiedFromMachine = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates.conf',
  'debian_version',
  'gai.conf',
  'host.conf',
  'iproute2',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'login.defs',
  'nsswitch.conf',
  'os-release',
  'profile',
  'protocols',
  'services',
  'shells',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
]

/**
 * The servers that work from another network namespace: a resolver on this machine's loopback does not.
 * @param candidates texts of resolv.conf files, the first with a usable server wins
 */
export function usableResolvConf(candidates: readonly string[]): string {
  for (const text of candidates) {
    const lines = text.split('\n').filter((line) => /^\s*(nameserver|search|options)\s/.test(line))
    const usable = lines.filter((line) => !/^\s*nameserver\s+(127\.|::1)/.test(line))
    if (usable.some((line) => line.trim().startsWith('nameserver'))) return `${usable.join('\n')}\n`
  }
  return '# no name server that is reachable from here\n'
}

const passwd = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
bin:x:2:2:bin:/bin:/usr/sbin/nologin
sys:x:3:3:sys:/dev:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`

const group = `root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
kmem:x:15:
shadow:x:42:
utmp:x:43:
nogroup:x:65534:
`

/** The bootstrap adds the engine's line. */
const inittab = `::sysinit:/etc/tsmachine/boot
::respawn:/usr/sbin/sshd -D -e
::shutdown:/etc/tsmachine/shutdown
`

/**
 * With cgroup v2 a group with processes can't hand controllers to its children: the host's own processes go to
 * a leaf first, so that the engine can make groups beside it.
 */
const bootScript = `#!/bin/sh
mkdir -p /run/sshd /run/lock
chmod 0755 /run/sshd
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir -p /sys/fs/cgroup/init.scope
  for pid in $(cat /sys/fs/cgroup/cgroup.procs); do
    echo "$pid" > /sys/fs/cgroup/init.scope/cgroup.procs 2>/dev/null
  done
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" > /sys/fs/cgroup/cgroup.subtree_control
  done
fi
`

/** The engine gets its time to put its containers down; init kills the rest. */
const shutdownScript = `#!/bin/sh
pid=$(cat /run/tshost.pid 2>/dev/null) || exit 0
kill -TERM "$pid" 2>/dev/null || exit 0
for i in $(seq 100); do
  kill -0 "$pid" 2>/dev/null || exit 0
  sleep 0.1
done
`

const sshdConfig = `Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
X11Forwarding no
PrintMotd no
MaxStartups 100
MaxSessions 100
AcceptEnv LANG LC_*
Subsystem sftp internal-sftp
`
