/**
 * Starting and stopping a local host, given that its files and its network are there.
 */
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '../../../shared/deadline.ts'
import { readIfThere, writeFileAtomic } from '../../../shared/files.ts'
import { fail } from '../../errors.ts'
import { removeCgroups } from './cgroup.ts'
import { capabilitiesOf, hostConfig } from './config.ts'
import type { LocalNames } from './names.ts'
import { identify, isAlive, type ProcessIdentity } from './process.ts'
import type { Rootfs } from './rootfs.ts'
import { deleteContainer, type OciContainer, startContainer } from './runtime.ts'

/** What a host is made of, on this machine's disk and in its kernel. */
export interface LocalHost {
  name: string
  names: LocalNames
  /** Folder of its files: rootfs/, config.json, console.log, init.json. */
  folder: string
  /** The runtime's command line. */
  runtime: string[]
}

/** Asks a host's init to power off: it runs its shutdown script, ends all processes, and goes. */
const powerOffSignal = 'SIGUSR2'

/** How long the host may take to power off before it is killed: the engine's ten seconds, and init's own two. */
const stopMs = 20_000

export async function startHost(host: LocalHost, rootfs: Rootfs): Promise<ProcessIdentity> {
  await clearRuntime(host)
  const config = hostConfig({
    name: host.name,
    rootfs: rootfs.path,
    binds: rootfs.binds,
    netns: join('/run/netns', host.names.netns),
    cgroup: host.names.cgroup,
    ...(await machineLimits()),
    devices: await wantedDevices(),
  })
  await writeFileAtomic(join(host.folder, 'config.json'), `${JSON.stringify(config, undefined, 2)}\n`)
  const pid = await startContainer(host.runtime, containerOf(host), join(host.folder, 'console.log'))
  const identity = await identify(pid)
  await writeFileAtomic(identityFile(host), JSON.stringify(identity))
  return identity
}

/** Whether the host's init lives. */
export async function isRunning(host: Pick<LocalHost, 'folder'>): Promise<boolean> {
  return isAlive(await readIdentity(host))
}

/** Powers the host off, and kills it where that takes too long; a host that is off is fine. */
export async function stopHost(host: LocalHost): Promise<void> {
  const identity = await readIdentity(host)
  if (await isAlive(identity)) {
    process.kill(identity!.pid, powerOffSignal)
    const gone = async () => ((await isAlive(identity)) ? undefined : true)
    try {
      await waitFor(`${host.name} to power off`, gone, { timeoutMs: stopMs, everyMs: 20 })
    } catch (error) {
      if ((error as { code?: string }).code !== 'E_TIMEOUT') throw error
    }
  }
  await killHost(host)
}

/** Ends the host at once: init's death takes all its processes along. */
export async function killHost(host: LocalHost): Promise<void> {
  const identity = await readIdentity(host)
  if (await isAlive(identity)) {
    process.kill(identity!.pid, 'SIGKILL')
    const gone = async () => ((await isAlive(identity)) ? undefined : true)
    await waitFor(`${host.name} to be gone`, gone, { timeoutMs: 10_000, everyMs: 10 })
  }
  await clearRuntime(host)
}

/** Why the host's init is gone, from what it last said. */
export async function hostDeath(host: LocalHost): Promise<Error> {
  const log = (await readIfThere(join(host.folder, 'console.log'))) ?? ''
  const why = log.trim().split('\n').at(-1) || 'it said nothing'
  return fail('E_HOST_DIED', { name: host.name, why })
}

async function clearRuntime(host: LocalHost): Promise<void> {
  await deleteContainer(host.runtime, containerOf(host))
  await removeCgroups(host.names.cgroup)
}

function containerOf({ names, folder }: LocalHost): OciContainer {
  return { id: names.container, bundle: folder, state: names.runtimeState }
}

function identityFile({ folder }: Pick<LocalHost, 'folder'>): string {
  return join(folder, 'init.json')
}

async function readIdentity(host: Pick<LocalHost, 'folder'>): Promise<ProcessIdentity | undefined> {
  const text = await readIfThere(identityFile(host))
  return text === undefined ? undefined : (JSON.parse(text) as ProcessIdentity)
}

async function machineLimits(): Promise<{ capabilities: string[]; openFiles: number }> {
  const status = await readFile('/proc/self/status', 'utf8')
  const limits = await readFile('/proc/self/limits', 'utf8')
  return {
    capabilities: capabilitiesOf(/^CapBnd:\s*(\w+)/m.exec(status)![1]!),
    openFiles: Number(/^Max open files\s+\d+\s+(\d+)/m.exec(limits)?.[1] ?? 1024 * 1024),
  }
}

/** Devices beyond the usual ones that engines use where they are: tunnels, and file systems in user space. */
async function wantedDevices(): Promise<{ path: string; major: number; minor: number }[]> {
  const found = await Promise.all(
    ['/dev/net/tun', '/dev/fuse'].map(async (path) => {
      const info = await stat(path).catch(() => undefined)
      if (!info?.isCharacterDevice()) return undefined
      return { path, major: Number(info.rdev >> 8) & 0xfff, minor: info.rdev & 0xff }
    }),
  )
  return found.filter((device) => device !== undefined)
}
