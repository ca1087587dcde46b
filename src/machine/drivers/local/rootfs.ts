/**
 * The root folder of a local host: its own /etc, /var, /root and the like as plain directories, and the places
 * where this machine's programs are bound read-only.
 */
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf } from '../../../shared/errors.ts'
import { readIfThere } from '../../../shared/files.ts'
import { copiedFromMachine, type EtcOptions, hostFiles, usableResolvConf } from './etc.ts'

/** Top-level folders of this machine that hold programs and libraries. */
const programFolders = /^(usr|bin|sbin|lib\w*)$/

export interface Rootfs {
  path: string
  /** Folders of this machine to bind read-only at the same place inside. */
  binds: string[]
}

const ownFolders: [path: string, mode: number][] = [
  ['etc', 0o755],
  ['etc/ssh', 0o755],
  ['etc/ssl', 0o755],
  ['etc/tsmachine', 0o755],
  ['root', 0o700],
  ['root/.ssh', 0o700],
  ['home', 0o755],
  ['var', 0o755],
  ['var/lib', 0o755],
  ['var/log', 0o755],
  ['var/tmp', 0o1777],
  ['var/cache', 0o755],
  ['tmp', 0o1777],
  ['opt', 0o755],
  ['srv', 0o755],
  ['mnt', 0o755],
  ['media', 0o755],
  ['run', 0o755],
  ['proc', 0o555],
  ['sys', 0o555],
  ['dev', 0o755],
]

/**
 * Makes the folder tree, or makes it right; what the host wrote into /var, /root, /home and /opt stays.
 * Called before each start, so that name servers and program folders are today's.
 */
export async function ensureRootfs(path: string, options: Omit<EtcOptions, 'resolvConf'>): Promise<Rootfs> {
  for (const [folder, mode] of ownFolders) {
    const full = join(path, folder)
    await mkdir(full, { recursive: true })
    await chmod(full, mode)
  }
  const binds = await placePrograms(path)
  await placeLink(join(path, 'var/run'), '/run')
  await placeLink(join(path, 'var/lock'), '/run/lock')
  for (const name of copiedFromMachine) await copyPublic(join('/etc', name), join(path, 'etc', name))
  for (const file of hostFiles({ ...options, resolvConf: await resolvConf() })) {
    // The bootstrap has added the engine's line to it.
    if (file.path === '/etc/inittab' && (await readIfThere(join(path, file.path))) !== undefined) continue
    await replaceFile(
      join(path, file.path),
      (temporary) => writeFile(temporary, file.text, { mode: file.mode }),
      file.mode,
    )
  }
  return { path, binds }
}

/** Where this machine has a link (bin -> usr/bin), so has the host; folders are bound. */
async function placePrograms(path: string): Promise<string[]> {
  const binds: string[] = []
  for (const name of (await readdir('/')).filter((entry) => programFolders.test(entry))) {
    const there = await lstat(join('/', name))
    if (there.isSymbolicLink()) {
      await placeLink(join(path, name), await readlink(join('/', name)))
    } else if (there.isDirectory()) {
      await mkdir(join(path, name), { recursive: true })
      binds.push(join('/', name))
    }
  }
  return binds
}

async function placeLink(path: string, target: string): Promise<void> {
  try {
    await symlink(target, path)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
    if ((await lstat(path)).isSymbolicLink() && (await readlink(path)) === target) return
    await rm(path, { recursive: true })
    await symlink(target, path)
  }
}

/** Copies a file, or a folder's files and links, leaving out whatever not everyone may read. */
async function copyPublic(from: string, to: string): Promise<void> {
  const info = await lstat(from).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (!info) return
  if (info.isSymbolicLink()) {
    await mkdir(dirname(to), { recursive: true })
    await placeLink(to, await readlink(from))
  } else if (info.isDirectory()) {
    await mkdir(to, { recursive: true })
    for (const name of await readdir(from)) await copyPublic(join(from, name), join(to, name))
  } else if (info.isFile() && (info.mode & 0o004) !== 0) {
    await mkdir(dirname(to), { recursive: true })
    await replaceFile(to, (temporary) => copyFile(from, temporary), info.mode & 0o755)
  }
}

/**
 * Not flushed to the disk, unlike other writes here: all of this is laid out again before each start.
 */
async function replaceFile(
  path: string,
  write: (path: string) => Promise<void>,
  mode: number,
): Promise<void> {
  const temporary = `${path}.new`
  await write(temporary)
  await chmod(temporary, mode)
  await rename(temporary, path)
}

async function resolvConf(): Promise<string> {
  const texts = await Promise.all(['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'].map(readIfThere))
  return usableResolvConf(texts.filter((text) => text !== undefined))
}
