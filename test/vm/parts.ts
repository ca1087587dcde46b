/**
 * What a guest is made of: Debian's cloud kernel and a few libraries by apt-get (in a root of its own, so that
 * the machine's own apt is left alone), node and koffi for the guest's architecture by npm, checked against the
 * lock file. Kept under node_modules/.cache/vm.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export type GuestArch = 'x64' | 'arm64'

const root = join(import.meta.dirname, '../..')
const cache = join(root, 'node_modules/.cache/vm')
const debian: Record<GuestArch, string> = { x64: 'amd64', arm64: 'arm64' }

export interface GuestParts {
  /** Unpacked Debian packages: boot/vmlinuz-*, lib/modules/*, lib/*-linux-gnu/*. */
  tree: string
  kernel: string
  kernelRelease: string
  busybox: string
  node: string
  koffi: string
}

export function fetchParts(arch: GuestArch): GuestParts {
  const tree = join(cache, arch, 'tree')
  if (!existsSync(tree)) fetchDebian(arch, tree)
  const kernelRelease = readdirSync(join(tree, 'lib/modules'))[0]!
  return {
    tree,
    kernelRelease,
    kernel: join(tree, `boot/vmlinuz-${kernelRelease}`),
    busybox: join(tree, 'bin/busybox'),
    node: join(npmPackage(`node-linux-${arch}`, arch), 'bin/node'),
    koffi: join(npmPackage(`@koromix/koffi-linux-${arch}`, arch), `linux_${arch}/koffi.node`),
  }
}

function fetchDebian(arch: GuestArch, tree: string): void {
  const apt = join(cache, arch, 'apt')
  for (const folder of ['lists/partial', 'archives/partial', 'debs'])
    mkdirSync(join(apt, folder), { recursive: true })
  writeFileSync(join(apt, 'status'), '')
  const options = [
    `APT::Architecture=${debian[arch]}`,
    `APT::Architectures::=${debian[arch]}`,
    `Dir::State::Lists=${apt}/lists`,
    `Dir::Cache::Archives=${apt}/archives`,
    'Dir::Cache::pkgcache=',
    'Dir::Cache::srcpkgcache=',
    `Dir::State::status=${apt}/status`,
    'APT::Sandbox::User=root',
  ].flatMap((o) => ['-o', o])
  const run = (command: string, args: string[]) =>
    execFileSync(command, [...options, ...args], {
      cwd: join(apt, 'debs'),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  run('apt-get', ['update'])
  const image = /Depends: (linux-image-\S+)/.exec(
    run('apt-cache', ['depends', `linux-image-cloud-${debian[arch]}`]),
  )![1]!
  run('apt-get', ['download', image, 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'busybox-static'])
  const unfinished = `${tree}.new`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished)
  for (const deb of readdirSync(join(apt, 'debs')))
    execFileSync('dpkg-deb', ['-x', join(apt, 'debs', deb), unfinished])
  renameSync(unfinished, tree)
}

/** The package's folder: the installed one where it is ours, else fetched with the version and digest of the lock. */
function npmPackage(name: string, arch: GuestArch): string {
  const installed = join(root, 'node_modules', name)
  if (existsSync(installed)) return installed
  const folder = join(cache, arch, name.replace('/', '-'))
  if (existsSync(folder)) return join(folder, 'package')
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>
  }
  const { version, integrity } = lock.packages[`node_modules/${name}`]!
  mkdirSync(`${folder}.new`, { recursive: true })
  execFileSync('npm', ['pack', '--silent', '--pack-destination', `${folder}.new`, `${name}@${version}`], {
    stdio: 'pipe',
  })
  const archive = join(`${folder}.new`, readdirSync(`${folder}.new`).find((f) => f.endsWith('.tgz'))!)
  const digest = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`
  if (digest !== integrity) throw new Error(`${name}@${version} is not what the lock file says`)
  execFileSync('tar', ['-xzf', archive, '-C', `${folder}.new`])
  renameSync(`${folder}.new`, folder)
  return join(folder, 'package')
}
