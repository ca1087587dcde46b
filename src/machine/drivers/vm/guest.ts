/**
 * What virtual machines on this computer have in common, whoever runs them: the seed that their cloud-init reads,
 * and the addresses under which they are reached through forwarded ports.
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../../shared/files.ts'
import {
  type GuestInterface,
  renderMetaData,
  renderNetworkConfig,
  renderUserData,
} from '../../cloud-init/render.ts'
import { readUserData } from '../../cloud-init/user-data.ts'
import { fail } from '../../errors.ts'
import type { DriverOptions } from '../../record.ts'
import { bareKey, ensureSshKey } from '../../ssh/keys.ts'
import type { DriverContext } from '../driver.ts'
import { resourceName } from '../tags.ts'
import type { PortLease } from './ports.ts'
import { makeSeed } from './seed.ts'

/** Where the engine listens inside; outside it is the forwarded port. */
export const guestEnginePort = 2376
export const guestPorts = { ssh: 22, engine: guestEnginePort }

export interface SeedExtras {
  interfaces?: readonly GuestInterface[]
  /** Further keys of our cloud-config. */
  more?: Record<string, unknown>
}

/** Writes the seed; the same each time. @returns its path */
export async function writeSeed(
  { record, paths }: DriverContext,
  { interfaces, more }: SeedExtras = {},
): Promise<string> {
  await mkdir(paths.driver, { recursive: true, mode: 0o700 })
  const path = join(paths.driver, 'seed.iso')
  const userData = record.options['user-data'] as string | undefined
  const files = {
    'meta-data': renderMetaData({ instanceId: resourceName(record), hostname: record.name }),
    'user-data': renderUserData({
      hostname: record.name,
      user: String(record.options['ssh-user']),
      userPublicKey: (await ensureSshKey(paths.userKey, `tsmachine ${record.name}`)).public,
      hostKey: await ensureSshKey(paths.hostKey, record.name),
      userData: userData === undefined ? undefined : await readUserData(userData),
      more,
    }),
    ...(interfaces && { 'network-config': renderNetworkConfig(interfaces) }),
  }
  const image = makeSeed(files)
  // Left alone where it is right: a running guest may have it open.
  if (existsSync(path) && (await readFile(path)).equals(image)) return path
  await writeFileAtomic(path, image)
  return path
}

/** Notes where the guest is reached. */
export async function noteAddresses({ record, paths }: DriverContext, ports: PortLease): Promise<void> {
  const { public: hostKey } = await ensureSshKey(paths.hostKey, record.name)
  record.ssh = {
    host: '127.0.0.1',
    port: ports.ssh!,
    user: String(record.options['ssh-user']),
    keyPath: paths.userKey,
    hostKeys: [bareKey(hostKey)],
  }
  record.engine = { host: '127.0.0.1', port: ports.engine!, listenPort: guestEnginePort }
}

/** @throws E_OPTION where a number is out of its bounds */
export function requireRange(
  driver: string,
  options: DriverOptions,
  bounds: Record<string, readonly [number, number]>,
): void {
  for (const [name, [least, most]] of Object.entries(bounds)) {
    const value = options[name]
    if (value === undefined) continue
    if (Number.isInteger(value) && Number(value) >= least && Number(value) <= most) continue
    throw fail('E_OPTION', { option: `--${driver}-${name}`, why: `it must be from ${least} to ${most}` })
  }
}

/** @throws E_OPTION where a file that an option names is not there */
export function requireFiles(driver: string, options: DriverOptions, names: readonly string[]): void {
  for (const name of names) {
    const path = options[name]
    if (typeof path !== 'string' || existsSync(path)) continue
    throw fail('E_OPTION', { option: `--${driver}-${name}`, why: `there is no file ${path}` })
  }
}

/** The end of what the guest's console showed, without the codes of terminals, or undefined. */
export async function readConsole(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined
  const bytes = await readFile(path)
  const text = bytes
    .subarray(-64 * 1024)
    .toString('utf8')
    .replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1bc/g, '')
    .replace(/\r/g, '')
    .trim()
  return text || undefined
}
