/**
 * What kind of host this is, and whether the engine can run on it.
 */
import { formatBytes } from '../../shared/units.ts'
import { fail } from '../errors.ts'
import type { SshConnection } from '../ssh/connection.ts'
import { hostPaths } from './host-paths.ts'

export type InitSystem = 'systemd' | 'busybox' | 'none'
export type Arch = 'x64' | 'arm64'

export interface HostFacts {
  /** As node names it; undefined for any other. */
  arch: Arch | undefined
  machine: string
  kernel: string
  /** "glibc 2.36", "musl", or "" when it can't be told. */
  libc: string
  cgroup: 'v1' | 'v2' | 'none'
  init: InitSystem
  isRoot: boolean
  canSudo: boolean
  freeBytes: { programs: number; data: number }
  /** Somebody else's engine listens on docker's socket. */
  hasOtherEngine: boolean
  /** Whether the loader finds libatomic.so.1. */
  hasAtomicLibrary: boolean
  /** Commands of those that we ask for which are there. */
  commands: string[]
}

/** Node needs it, and it is in no base system. */
export const atomicLibrary = 'libatomic.so.1'

/** Commands that the engine runs, and the Debian packages that have them. */
const engineCommands = { ip: 'iproute2', nft: 'nftables' }
/** Commands that the bootstrap itself runs, beyond a POSIX shell's. */
const bootstrapCommands = ['sha256sum', 'gzip', 'zstd']

/** Runs everywhere with a POSIX shell; prints one "key value" a line. */
const script = `
say() { echo "$1 $2"; }
say machine "$(uname -m)"
say kernel "$(uname -r)"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null)
if [ -z "$libc" ]; then
  if ls /lib/ld-musl-* >/dev/null 2>&1; then libc=musl
  else libc=$(ldd --version 2>/dev/null | sed -n '1s/.* \\([0-9][0-9.]*\\)$/glibc \\1/p'); fi
fi
say libc "$libc"
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then say cgroup v2
elif [ -d /sys/fs/cgroup/memory ]; then say cgroup v1
else say cgroup none; fi
if [ -d /run/systemd/system ]; then say init systemd
elif [ -e /etc/inittab ] && [ "$(cat /proc/1/comm)" = busybox -o "$(cat /proc/1/comm)" = init ] &&
  { readlink /proc/1/exe || sudo -n readlink /proc/1/exe; } 2>/dev/null | grep -q busybox; then say init busybox
else say init none; fi
say uid "$(id -u)"
if sudo -n true 2>/dev/null; then say sudo yes; fi
pid=$(cat "$4" 2>/dev/null)
if ! { [ -n "$pid" ] && [ -d "/proc/$pid" ]; } && grep -qE " (/var)?$(echo "$3" | sed 's|^/var||')$" /proc/net/unix; then say engine other; fi
free() {
  dir=$1
  while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
  df -Pk "$dir" | awk 'NR == 2 { print $4 }'
}
for dir in /lib /usr/lib /lib64 /usr/lib64 /lib/*-linux-gnu /usr/lib/*-linux-gnu; do
  if [ -e "$dir/${atomicLibrary}" ]; then say atomic yes; break; fi
done
say programs "$(free "$1")"
say data "$(free "$2")"
shift 4
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for name in "$@"; do command -v "$name" >/dev/null && say command "$name"; done
true
`

export async function probeHost(ssh: SshConnection, signal?: AbortSignal): Promise<HostFacts> {
  const commands = [...Object.keys(engineCommands), ...bootstrapCommands]
  const paths = [hostPaths.root, hostPaths.dataRoot, hostPaths.socket, hostPaths.pidFile]
  const argv = ['sh', '-c', script, 'probe', ...paths, ...commands]
  return parseFacts(await ssh.run(argv, { timeoutMs: 30_000, signal }))
}

/** What the script printed. */
export function parseFacts(text: string): HostFacts {
  const lines = text
    .trim()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const)
  const value = (key: string) => lines.find(([name]) => name === key)?.[1].trim() ?? ''
  const kib = (key: string) => Number(value(key)) * 1024
  return {
    arch: ({ x86_64: 'x64', aarch64: 'arm64' } as const)[value('machine') as 'x86_64' | 'aarch64'],
    machine: value('machine'),
    kernel: value('kernel'),
    libc: value('libc'),
    cgroup: value('cgroup') as HostFacts['cgroup'],
    init: value('init') as InitSystem,
    isRoot: value('uid') === '0',
    canSudo: value('sudo') === 'yes',
    freeBytes: { programs: kib('programs'), data: kib('data') },
    hasOtherEngine: value('engine') === 'other',
    hasAtomicLibrary: value('atomic') === 'yes',
    commands: lines.filter(([key]) => key === 'command').map(([, name]) => name),
  }
}

/** Room that the engine wants for its own data beside the programs. */
const dataBytes = 64 * 1024 * 1024

/**
 * Refuses a host on which the engine can't run.
 * @param neededBytes room for the parts of the bundle that are not there yet
 * @throws E_NO_SUDO, E_HOST_UNFIT, E_DISK_FULL
 */
export function requireFit(facts: HostFacts, host: string, user: string, neededBytes: number): void {
  const why = unfitReason(facts)
  if (why) throw fail('E_HOST_UNFIT', { host, why })
  if (!facts.isRoot && !facts.canSudo) throw fail('E_NO_SUDO', { host, user })
  const rooms = [
    { path: hostPaths.root, needed: neededBytes, free: facts.freeBytes.programs },
    { path: hostPaths.dataRoot, needed: dataBytes, free: facts.freeBytes.data },
  ]
  const tight = rooms.find(({ needed, free }) => free < needed)
  if (!tight) return
  const { path, free, needed } = tight
  throw fail('E_DISK_FULL', { host, path, free: formatBytes(free), needed: formatBytes(needed) })
}

/** Why the engine can't run there, or undefined. */
export function unfitReason(facts: HostFacts): string | undefined {
  const { arch, machine, kernel, libc, cgroup, commands, hasOtherEngine } = facts
  if (hasOtherEngine)
    return `another engine, such as Docker, listens on ${hostPaths.socket}; stop and disable it`
  if (!arch) return `its architecture is ${machine}; x86-64 and arm64 are supported`
  if (isOlder(kernel, '5.10')) return `its kernel is ${kernel}; 5.10 or newer is needed`
  if (libc === 'musl') return 'its C library is musl; the node binary needs glibc 2.28 or newer'
  if (libc && isOlder(libc.replace('glibc ', ''), '2.28'))
    return `its C library is ${libc}; 2.28 or newer is needed`
  if (cgroup === 'none') return 'no cgroup file system is mounted at /sys/fs/cgroup'
  const missing = ['sha256sum', 'gzip'].filter((name) => !commands.includes(name))
  if (missing.length > 0) return `it lacks the command ${missing[0]}`
  const lacking = Object.entries(engineCommands).filter(([name]) => !commands.includes(name))
  if (lacking.length === 0) return undefined
  const names = lacking.map(([name]) => name).join(' and ')
  return `it lacks ${names} (apt-get install -y --no-install-recommends ${lacking.map(([, pkg]) => pkg).join(' ')})`
}

/** Whether the version `a` ("5.4.0-150-generic") is below `b` ("5.10"), number by number. */
export function isOlder(a: string, b: string): boolean {
  const numbers = (text: string) => (/^[\d.]+/.exec(text)?.[0] ?? '').split('.').map(Number)
  const [left, right] = [numbers(a), numbers(b)]
  for (const [i, number] of right.entries()) {
    if ((left[i] ?? 0) !== number) return (left[i] ?? 0) < number
  }
  return false
}
