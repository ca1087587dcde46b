/**
 * Starting, stopping and watching a machine's QEMU, given that its files are there.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, open, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { waitFor } from '../../../shared/deadline.ts'
import { messageOf } from '../../../shared/errors.ts'
import { readIfThere, writeFileAtomic } from '../../../shared/files.ts'
import { fail } from '../../errors.ts'
import type { MachineState } from '../driver.ts'
import { qemuArgs, type Vm } from './command.ts'
import { findVmProcess, killVmProcess, type VmProcess } from './process.ts'
import { askMonitor } from './qmp.ts'

/** A machine's place on this computer. */
export interface VmPlace {
  name: string
  uuid: string
  /** Folder of its files: disk.qcow2, seed.iso, console.log, qemu.log, process.json. */
  folder: string
}

/** QEMU itself is up in a fraction of a second; a loaded computer takes longer. */
const startMs = 30_000
/**
 * How long a guest may take to shut down before it is switched off, and how often it is told to. systemd gives
 * processes that don't mind SIGTERM, such as many a container's first one, 90 s before it kills them.
 */
const stopMs = 180_000
const tellEveryMs = 10_000
const killMs = 10_000

/** Of a unix socket's path; one less on macOS. */
const maxSocketPath = 103

/** The monitor's socket: beside the other files, or in the temporary folder where the storage's path is too long. */
export function monitorPath({ folder, uuid }: Pick<VmPlace, 'folder' | 'uuid'>): string {
  const beside = join(folder, 'monitor.sock')
  if (Buffer.byteLength(beside) <= maxSocketPath) return beside
  return join(tmpdir(), `tsmachine-${userInfo().uid}`, `${uuid}.sock`)
}

/**
 * Starts QEMU and returns once its monitor answers: its ports are then bound.
 * @throws E_HOST_DIED with what QEMU said
 */
export async function startVm(emulator: string, vm: Vm, place: VmPlace): Promise<VmProcess> {
  await makeMonitorFolder(place)
  const log = await open(join(place.folder, 'qemu.log'), 'w', 0o600)
  let child: ChildProcess
  try {
    // A session of its own: Ctrl-C in the terminal is for us, and the guest outlives us.
    child = spawn(emulator, qemuArgs(vm), {
      cwd: place.folder,
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    })
    child.once('error', () => {})
    child.unref()
  } finally {
    await log.close()
  }
  try {
    const isUp = async () => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null)
        throw await death(place)
      return answers(place)
    }
    await waitFor(`QEMU of ${place.name}`, isUp, { timeoutMs: startMs, everyMs: 20 })
    // What it does is told from here on by what it shows: the guest may end it at any time.
    const found = await findVmProcess(place.uuid)
    if (!found) throw await death(place)
    await writeFileAtomic(identityFile(place), JSON.stringify(found))
    return found
  } catch (error) {
    await killVm(place)
    throw error
  }
}

async function answers(place: VmPlace): Promise<true | undefined> {
  try {
    await askMonitor(monitorPath(place), 'query-status', 2_000)
    return true
  } catch {
    return undefined
  }
}

/** Why QEMU is gone, from what it last said. */
async function death(place: VmPlace): Promise<Error> {
  const log = (await readIfThere(join(place.folder, 'qemu.log'))) ?? ''
  const why = log.trim().split('\n').at(-1) || 'it said nothing'
  return fail('E_HOST_DIED', { name: place.name, why: why.replace(/^qemu-system-\w+: /, '') })
}

/** Tells the guest to shut down, and switches it off where that takes too long; one that is off is fine. */
export async function stopVm(place: VmPlace, timeoutMs = stopMs): Promise<void> {
  const found = await runningVm(place)
  if (found) {
    let toldAt = Number.NEGATIVE_INFINITY
    const gone = async () => {
      if (!(await runningVm(place))) return true
      if (performance.now() - toldAt > tellEveryMs) {
        // Again and again: a guest that is still booting does not hear it.
        toldAt = performance.now()
        await askMonitor(monitorPath(place), 'system_powerdown').catch(() => undefined)
      }
      return undefined
    }
    try {
      await waitFor(`${place.name} to shut down`, gone, { timeoutMs, everyMs: 100 })
    } catch (error) {
      if ((error as { code?: string }).code !== 'E_TIMEOUT') throw error
    }
  }
  await killVm(place)
}

/** Switches the guest off: by the monitor, which closes the disk in order, else by a signal. */
export async function killVm(place: VmPlace): Promise<void> {
  const found = await runningVm(place)
  if (found) {
    const quit = askMonitor(monitorPath(place), 'quit', 2_000).then(
      () => true,
      () => false,
    )
    if (!(await quit)) await killVmProcess(place.uuid, found)
    const gone = async () => {
      if (!(await runningVm(place))) return true
      return undefined
    }
    try {
      await waitFor(`${place.name} to be gone`, gone, { timeoutMs: killMs / 2, everyMs: 20 })
    } catch {
      await killVmProcess(place.uuid, found)
      await waitFor(`${place.name} to be gone`, gone, { timeoutMs: killMs, everyMs: 20 })
    }
  }
  await rm(monitorPath(place), { force: true })
  await rm(identityFile(place), { force: true })
}

export async function observeVm(place: VmPlace): Promise<MachineState> {
  if (!(await runningVm(place))) return 'Stopped'
  try {
    const { status } = await askMonitor<{ status: string }>(monitorPath(place), 'query-status', 2_000)
    return states[status] ?? 'Running'
  } catch {
    // Its monitor has another client just now, or it ended since.
    return (await runningVm(place)) ? 'Running' : 'Stopped'
  }
}

/** QEMU's RunState. https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html */
const states: Record<string, MachineState> = {
  paused: 'Paused',
  suspended: 'Paused',
  debug: 'Paused',
  prelaunch: 'Starting',
  inmigrate: 'Starting',
  shutdown: 'Stopping',
  'internal-error': 'Error',
  'io-error': 'Error',
  'guest-panicked': 'Error',
  watchdog: 'Error',
}

/**
 * The machine's process. The one that was written down is looked at first; where it is gone, and where the
 * writer was killed before it wrote, all processes are.
 */
async function runningVm(place: VmPlace): Promise<VmProcess | undefined> {
  return findVmProcess(place.uuid, await readIdentity(place))
}

async function readIdentity(place: VmPlace): Promise<VmProcess | undefined> {
  const text = await readIfThere(identityFile(place))
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as VmProcess
  } catch (error) {
    throw fail('E_RECORD_BROKEN', { path: identityFile(place), why: messageOf(error) }, error)
  }
}

function identityFile({ folder }: Pick<VmPlace, 'folder'>): string {
  return join(folder, 'process.json')
}

/** Whoever may use the socket is master of the guest. */
async function makeMonitorFolder(place: VmPlace): Promise<void> {
  const path = monitorPath(place)
  await rm(path, { force: true })
  if (dirname(path) === place.folder) return
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  // Fails where it is another's, who waited for us with a folder of this name.
  await chmod(dirname(path), 0o700)
}
