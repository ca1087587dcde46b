/**
 * A machine in VirtualBox: made and unmade by calls of which each may have been the last one of a run that was
 * killed. It is named by its UUID, which we choose: names are not unique there.
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '../../../shared/deadline.ts'
import type { MachineState } from '../driver.ts'
import { forwardsOf, machineStateOf, parseMachineReadable } from './machine-readable.ts'
import type { HostOnlyLease } from './network.ts'
import { type VBoxManage, vboxFailure } from './vboxmanage.ts'

export interface VBoxMachine {
  uuid: string
  /** Of ASCII letters, digits and dashes: also a folder's name. */
  name: string
  /** The owner's id and name, to be found by in VirtualBox itself. */
  tags: Record<string, string>
  /** Folder of all its files. */
  folder: string
  disk: string
  seed: string
  console: string
  arch: 'x86' | 'arm'
  memoryMb: number
  cpuCount: number
  macs: { nat: string; hostOnly: string }
  hostOnly: HostOnlyLease
  share?: { name: string; path: string }
}

const controller = 'SATA'
/** For a guest that is told to shut down, and how often it is told. */
const stopMs = 180_000
const tellEveryMs = 10_000

export type Info = Map<string, string>

/** What VirtualBox knows of it, or undefined where it knows nothing. @throws E_VBOXMANAGE */
export async function readInfo(vbox: VBoxManage, uuid: string): Promise<Info | undefined> {
  const args = ['showvminfo', uuid, '--machinereadable']
  const result = await vbox.call(args)
  if (result.code === 'VBOX_E_OBJECT_NOT_FOUND') return undefined
  // "The object functionality is limited": it is registered, and its files can't be read.
  if (result.code === 'E_ACCESSDENIED') return new Map([['VMState', 'inaccessible']])
  if (result.error) throw vboxFailure(args, result)
  return parseMachineReadable(result.stdout)
}

/** As VirtualBox has it; one that it doesn't know is off. */
export async function observeMachine(vbox: VBoxManage, uuid: string): Promise<MachineState> {
  const info = await readInfo(vbox, uuid)
  return info === undefined ? 'Stopped' : machineStateOf(info)
}

/** Registers it and tags it at once; nothing where that is done. @param platform whether createvm knows of any */
export async function registerMachine(
  vbox: VBoxManage,
  machine: VBoxMachine,
  platform: boolean,
): Promise<void> {
  const { uuid, name, folder, arch, tags } = machine
  if (!(await readInfo(vbox, uuid))) {
    // A file that a killed createvm left burns the name.
    await rm(join(folder, name), { recursive: true, force: true })
    const type = arch === 'x86' ? 'Linux_64' : 'Linux_arm64'
    const place = ['--basefolder', folder, '--uuid', uuid, '--register']
    const more = platform ? ['--platform-architecture', arch] : []
    await vbox.run(['createvm', '--name', name, '--ostype', type, ...place, ...more])
  }
  for (const [key, value] of Object.entries(tags)) await vbox.run(['setextradata', uuid, key, value])
}

/** Gives it its hardware; done again, it is the same. */
export async function equipMachine(vbox: VBoxManage, machine: VBoxMachine, sizeMb: number): Promise<void> {
  const { uuid, disk, seed, share } = machine
  await vbox.run(['modifyvm', uuid, ...hardware(machine)])
  const info = (await readInfo(vbox, uuid))!
  if (![...info].some(([key, value]) => /^storagecontrollername\d+$/.test(key) && value === controller)) {
    const kind = ['--add', 'sata', '--controller', 'IntelAhci', '--portcount', '2']
    await vbox.run(['storagectl', uuid, '--name', controller, ...kind])
  }
  await growDisk(vbox, disk, sizeMb)
  const slots = [
    { port: '0', type: 'hdd', medium: disk },
    { port: '1', type: 'dvddrive', medium: seed },
  ]
  for (const { port, type, medium } of slots) {
    if (info.get(`${controller}-${port}-0`) === medium) continue
    const slot = ['--storagectl', controller, '--port', port, '--device', '0', '--type', type]
    await vbox.run(['storageattach', uuid, ...slot, '--medium', medium])
  }
  if (!share) return
  const isShared = [...info].some(([key, value]) => /^SharedFolderName/.test(key) && value === share.name)
  if (isShared) return
  await vbox.run(['sharedfolder', 'add', uuid, '--name', share.name, '--hostpath', share.path])
}

/** Whether it has all that `equipMachine` gives it. */
export function isEquipped(info: Info, { disk, seed, share }: VBoxMachine): boolean {
  return (
    info.get(`${controller}-0-0`) === disk &&
    info.get(`${controller}-1-0`) === seed &&
    (!share || [...info].some(([key, value]) => /^SharedFolderName/.test(key) && value === share.name))
  )
}

/** One call, since it is done as a whole or not at all; in the old spellings, which all versions know. */
function hardware({ memoryMb, cpuCount, macs, hostOnly, console }: VBoxMachine): string[] {
  const second =
    hostOnly.kind === 'hostonlyif'
      ? ['--nic2', 'hostonly', '--hostonlyadapter2', hostOnly.network]
      : ['--nic2', 'hostonlynet', '--host-only-net2', hostOnly.network]
  const plain = (mac: string) => mac.replaceAll(':', '').toUpperCase()
  return [
    ...['--memory', String(memoryMb), '--cpus', String(cpuCount), '--vram', '16'],
    ...['--boot1', 'disk', '--boot2', 'none', '--boot3', 'none', '--boot4', 'none'],
    ...['--nic1', 'nat', '--nictype1', 'virtio', '--macaddress1', plain(macs.nat)],
    ...[...second, '--nictype2', 'virtio', '--macaddress2', plain(macs.hostOnly)],
    // Names are looked up by this computer, so that its VPN and hosts file count.
    ...['--natdnshostresolver1', 'on', '--rtcuseutc', 'on'],
    ...['--uart1', '0x3F8', '4', '--uartmode1', 'file', console],
  ]
}

async function growDisk(vbox: VBoxManage, disk: string, sizeMb: number): Promise<void> {
  const about = await vbox.run(['showmediuminfo', 'disk', disk])
  const capacity = Number(/^Capacity:\s+(\d+) MBytes/m.exec(about)?.[1] ?? 0)
  // It can't shrink.
  if (capacity >= sizeMb) return
  await vbox.run(['modifymedium', 'disk', disk, '--resize', String(sizeMb)], { timeoutMs: 10 * 60_000 })
}

/** Has these ports forwarded and no others, on a machine that is off. */
export async function forwardPorts(
  vbox: VBoxManage,
  uuid: string,
  wanted: Record<string, { port: number; guestPort: number }>,
): Promise<void> {
  const rules = Object.entries(wanted).map(
    ([name, { port, guestPort }]) => `${name},tcp,127.0.0.1,${port},,${guestPort}`,
  )
  const there = forwardsOf((await readInfo(vbox, uuid))!)
  for (const rule of there.filter((one) => !rules.includes(one))) {
    await vbox.run(['modifyvm', uuid, '--natpf1', 'delete', rule.split(',')[0]!])
  }
  for (const rule of rules.filter((one) => !there.includes(one))) {
    await vbox.run(['modifyvm', uuid, '--natpf1', rule])
  }
}

/** Starts it, or wakes it up from being saved or paused. */
export async function startMachine(vbox: VBoxManage, uuid: string, ui: string): Promise<void> {
  const state = await observeMachine(vbox, uuid)
  if (state === 'Running' || state === 'Starting') return
  if (state === 'Paused') return void (await vbox.run(['controlvm', uuid, 'resume']))
  await vbox.run(['startvm', uuid, '--type', ui], { timeoutMs: 180_000 })
}

/** Presses its power button until it is off, and pulls the plug where that takes too long. */
export async function stopMachine(vbox: VBoxManage, uuid: string, timeoutMs = stopMs): Promise<void> {
  const before = await observeMachine(vbox, uuid)
  // What was saved is not thrown away: it is off, and goes on where it was.
  if (before === 'Saved') return
  if (before === 'Paused') await vbox.run(['controlvm', uuid, 'resume'])
  let toldAt = Number.NEGATIVE_INFINITY
  const isOff = async () => {
    const state = await observeMachine(vbox, uuid)
    if (state === 'Stopped') return true
    if (performance.now() - toldAt > tellEveryMs) {
      toldAt = performance.now()
      // It may have gone off just now, and a guest that is booting does not hear it: told again either way.
      await vbox.call(['controlvm', uuid, 'acpipowerbutton'])
    }
    return undefined
  }
  try {
    await waitFor('the guest to shut down', isOff, { timeoutMs, everyMs: 200 })
  } catch (error) {
    if ((error as { code?: string }).code !== 'E_TIMEOUT') throw error
  }
  await powerOffMachine(vbox, uuid)
}

/** Pulls the plug; what was saved of a machine is thrown away. One that is off is fine. */
export async function powerOffMachine(vbox: VBoxManage, uuid: string): Promise<void> {
  const info = await readInfo(vbox, uuid)
  if (!info) return
  const state = machineStateOf(info)
  if (state === 'Stopped' || info.get('VMState') === 'inaccessible') return
  if (state === 'Saved') return void (await vbox.run(['discardstate', uuid]))
  const args = ['controlvm', uuid, 'poweroff']
  const result = await vbox.call(args)
  // Whatever it says, what counts is whether it is off.
  const isOff = async () => ((await observeMachine(vbox, uuid)) === 'Stopped' ? true : undefined)
  try {
    await waitFor('the machine to be off', isOff, { timeoutMs: 20_000, everyMs: 100 })
  } catch (error) {
    throw result.error ? vboxFailure(args, result) : error
  }
}

/** Takes it out of VirtualBox, with its disk, seed and files; whatever part of it is there. */
export async function unregisterMachine(vbox: VBoxManage, machine: VBoxMachine): Promise<void> {
  const { uuid, folder, name, disk, seed } = machine
  await powerOffMachine(vbox, uuid)
  const args = ['unregistervm', uuid, '--delete']
  const result = await vbox.call(args, { timeoutMs: 180_000 })
  if (result.error && result.code !== 'VBOX_E_OBJECT_NOT_FOUND') {
    // It fails halfway where the files are damaged, and has unregistered the machine nevertheless.
    if ((await observeRegistered(vbox, uuid)) === 'yes') throw vboxFailure(args, result)
  }
  await closeMedium(vbox, 'dvd', seed)
  await closeMedium(vbox, 'disk', disk)
  await rm(join(folder, name), { recursive: true, force: true })
}

async function observeRegistered(vbox: VBoxManage, uuid: string): Promise<'yes' | 'no'> {
  return (await vbox.run(['list', 'vms'])).includes(`{${uuid}}`) ? 'yes' : 'no'
}

/** Takes a medium out of the registry, where it is in it: a file that is made again there would be refused. */
export async function closeMedium(vbox: VBoxManage, kind: 'disk' | 'dvd', path: string): Promise<void> {
  const list = await vbox.run(['list', kind === 'disk' ? 'hdds' : 'dvds'])
  const isThere = list.split(/\r?\n/).some((line) => /^Location:\s+(.*)$/.exec(line)?.[1] === path)
  if (isThere) {
    const args = ['closemedium', kind, path]
    const result = await vbox.call(args)
    if (result.error && result.code !== 'VBOX_E_FILE_ERROR') throw vboxFailure(args, result)
  }
  if (existsSync(path)) await rm(path, { force: true })
}
