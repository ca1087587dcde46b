/**
 * Makes a fresh clone work: npm packages by the lock file, Debian packages by apt-get, each named before it is
 * installed. Plain JavaScript for node 18 and newer, since nothing is there yet when this runs.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** A program that must be on the machine -> the Debian package that brings it. */
export const debianPackages = {
  /** For local machines and the engine on them. */
  run: {
    busybox: 'busybox-static',
    sshd: 'openssh-server',
    'ssh-keygen': 'openssh-client',
    ip: 'iproute2',
    nft: 'nftables',
    'libatomic.so.1': 'libatomic1',
  },
  /** For the tests besides. */
  test: {
    as: 'binutils',
    strace: 'strace',
    crun: 'crun',
    runc: 'runc',
    python3: 'python3',
    'qemu-system-x86_64': 'qemu-system-x86',
    cpio: 'cpio',
    depmod: 'kmod',
    'aarch64-linux-gnu-as': 'binutils-aarch64-linux-gnu',
  },
  /** For `npm run test:vm` and `npm run test:long` besides. */
  vm: {
    'qemu-system-aarch64': 'qemu-system-arm',
    'qemu-img': 'qemu-utils',
    mmdebstrap: 'mmdebstrap',
    mke2fs: 'e2fsprogs',
    'cloud-init': 'cloud-init',
    xorriso: 'xorriso',
  },
}

const folders = [
  ...(process.env.PATH ?? '').split(delimiter),
  '/usr/local/sbin',
  '/usr/sbin',
  '/sbin',
  '/usr/bin',
  '/bin',
]
const libraries = [
  '/lib/x86_64-linux-gnu',
  '/usr/lib/x86_64-linux-gnu',
  '/lib/aarch64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib',
  '/usr/lib64',
]

function isThere(name) {
  return (name.includes('.so') ? libraries : folders).some((folder) => existsSync(join(folder, name)))
}

/** Installs what is missing of the npm packages. Quick when nothing is. */
export function ensureNpmPackages() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  const stamp = join(root, 'node_modules/.cache/tsmachine-lock')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say('installing the npm packages of package-lock.json')
  // Not `npm ci`: it refuses a lock file in which packages for other systems have no entry.
  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
  mkdirSync(dirname(stamp), { recursive: true })
  const after = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  writeFileSync(stamp, after)
}

/**
 * Installs what is missing of the Debian packages.
 * @param {('run' | 'test' | 'vm')[]} sets
 */
export function ensureDebianPackages(sets) {
  const wanted = Object.assign({}, ...sets.map((set) => debianPackages[set]))
  const missing = [
    ...new Set(
      Object.entries(wanted)
        .filter(([name]) => !isThere(name))
        .map(([, name]) => name),
    ),
  ]
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    say(`these packages are missing; install them as root: ${command}`)
    return
  }
  say(`installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = ['install', '-y', '-q', '--no-install-recommends', ...missing]
  const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] }
  if (spawnSync('apt-get', install, quiet).status === 0) return
  run('apt-get', ['update', '-q'], quiet)
  run('apt-get', install, quiet)
}

/** The pinned node, once the npm packages are there. */
export function pinnedNode() {
  return join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node')
}

/** Runs a TypeScript file with the pinned node and ends with its exit code. */
export function runTypeScript(script, args) {
  const { status, signal } = spawnSync(pinnedNode(), [join(root, script), ...args], {
    stdio: 'inherit',
    cwd: root,
    env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env.PATH}` },
  })
  process.exitCode = status ?? (signal === 'SIGINT' ? 130 : 1)
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options })
  if (status === 0) return
  say(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
  process.exit(1)
}

function say(text) {
  console.log(`> ${text}`)
}
