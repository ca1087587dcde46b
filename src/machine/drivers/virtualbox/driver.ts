/**
 * The VirtualBox driver: a virtual machine from a cloud image, with a forwarded port for SSH and an address in a
 * host-only network, by which this computer and the other machines reach it.
 */
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { readUserData } from '../../cloud-init/user-data.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { DriverOptions } from '../../record.ts'
import type { Driver, DriverContext } from '../driver.ts'
import { vmUuid } from '../qemu/command.ts'
import { machineTags, resourceName } from '../tags.ts'
import {
  guestEnginePort,
  guestPorts,
  noteAddresses,
  readConsole,
  requireRange,
  writeSeed,
} from '../vm/guest.ts'
import { dropPartialImages, ensureImage, imageCache, parseImage } from '../vm/images.ts'
import { dropPorts, leasedPorts, type PortLease, takePorts } from '../vm/ports.ts'
import { convertImage } from './disk.ts'
import {
  closeMedium,
  equipMachine,
  forwardPorts,
  isEquipped,
  observeMachine,
  powerOffMachine,
  readInfo,
  registerMachine,
  startMachine,
  stopMachine,
  unregisterMachine,
  type VBoxMachine,
} from './machine.ts'
import { dropHostOnly, type HostOnlyLease, type NetworkKind, parseCidr, takeHostOnly } from './network.ts'
import { moduleAdvice, parseVersion, VBoxManage } from './vboxmanage.ts'

/** The oldest version that is supported, and the first ones that have something. */
const oldest = [6, 1] as const
const withHostOnlyNet = [7, 0] as const
const withPlatforms = [7, 1] as const

/** @param find VBoxManage, where this computer has it */
export function makeVirtualboxDriver(find: () => VBoxManage): Driver {
  const powerOn = async (context: DriverContext) => {
    const vbox = find()
    const uuid = uuidOf(context)
    if ((await observeMachine(vbox, uuid)) === 'Stopped') {
      const ports = await takePorts(context, Object.keys(guestPorts))
      const wanted = Object.entries(guestPorts).map(([name, guestPort]) => [
        name,
        { port: ports[name]!, guestPort },
      ])
      await forwardPorts(vbox, uuid, Object.fromEntries(wanted))
    }
    await startMachine(vbox, uuid, String(context.record.options['ui-type']))
    context.record.made.ports = await leasedPorts(context)
    await noteAddresses(context, context.record.made.ports as PortLease)
    // By its own address other machines reach it, too, and what its containers publish.
    context.record.engine = { host: leaseOf(context).address, port: guestEnginePort }
  }
  return {
    check: async (options) => checkOptions(find(), options),
    steps: [
      {
        id: 'virtualbox.image',
        describe: ({ record }) => `Have the image ${record.options.image}`,
        probe: async () => false,
        do: async ({ record, storage }, run) => {
          record.made.image = await ensureImage(imageOf(record.options), imageCache(storage), run)
        },
        undo: async ({ storage }) => dropPartialImages(imageCache(storage)),
      },
      {
        id: 'virtualbox.disk',
        describe: () => 'Convert it to a disk',
        probe: async (context) => existsSync(diskOf(context)),
        do: async (context, { signal }: StepRun) => {
          await mkdir(context.paths.driver, { recursive: true, mode: 0o700 })
          const image = {
            path: String(context.record.made.image),
            name: String(context.record.options.image),
          }
          await convertImage(find(), image, diskOf(context), signal)
        },
        undo: async (context) => {
          if (existsSync(diskOf(context))) await closeMedium(find(), 'disk', diskOf(context))
          await rm(context.paths.driver, { recursive: true, force: true })
        },
      },
      {
        id: 'virtualbox.network',
        describe: ({ record }) => `Have the host-only network ${record.options['hostonly-cidr']}`,
        probe: async () => false,
        do: async (context) => {
          const vbox = find()
          const kind = networkKind((await versionOf(vbox)).version)
          const cidr = String(context.record.options['hostonly-cidr'])
          context.record.made.hostOnly = await takeHostOnly(vbox, context, kind, cidr)
        },
        undo: async (context) => dropHostOnly(find, context),
      },
      {
        id: 'virtualbox.seed',
        describe: () => 'Write what cloud-init is told',
        probe: async () => false,
        do: async (context) => {
          const { address, bits } = leaseOf(context)
          const { nat, hostOnly } = macsOf(context)
          const interfaces = [{ mac: nat }, { mac: hostOnly, address: `${address}/${bits}` }]
          await writeSeed(context, { interfaces, more: mountsOf(context.record.options) })
        },
        undo: async ({ paths }) => rm(join(paths.driver, 'seed.iso'), { force: true }),
      },
      {
        id: 'virtualbox.machine',
        describe: () => 'Make the virtual machine',
        probe: async (context) => {
          const info = await readInfo(find(), uuidOf(context))
          return info !== undefined && isEquipped(info, machineOf(context))
        },
        do: async (context) => {
          const vbox = find()
          const machine = machineOf(context)
          await registerMachine(vbox, machine, isAtLeast((await versionOf(vbox)).version, withPlatforms))
          await equipMachine(vbox, machine, Number(context.record.options['disk-size']))
        },
        undo: async (context) => unregisterMachine(find(), machineOf(context)),
      },
      {
        id: 'virtualbox.start',
        describe: () => 'Start the virtual machine',
        probe: async (context) =>
          context.record.ssh !== undefined && (await observeMachine(find(), uuidOf(context))) === 'Running',
        do: powerOn,
        undo: async (context) => {
          await powerOffMachine(find(), uuidOf(context))
          await dropPorts(context)
        },
      },
    ],
    ownsHost: true,
    observe: async (context) => observeMachine(find(), uuidOf(context)),
    console: ({ paths }) => readConsole(join(paths.driver, 'console.log')),
    power: {
      start: powerOn,
      stop: async (context) => stopMachine(find(), uuidOf(context)),
      kill: async (context) => powerOffMachine(find(), uuidOf(context)),
      restart: async (context) => {
        await stopMachine(find(), uuidOf(context))
        await powerOn(context)
      },
    },
  }
}

let found: VBoxManage | undefined

export const virtualboxDriver = makeVirtualboxDriver(() => {
  found ??= VBoxManage.find()
  return found
})

type Version = readonly [number, number, number]

async function checkOptions(vbox: VBoxManage, options: DriverOptions): Promise<void> {
  requireRange('virtualbox', options, {
    memory: [64, 2 * 1024 * 1024],
    'cpu-count': [1, 64],
    'disk-size': [64, 2 * 1024 * 1024],
  })
  parseCidr(String(options['hostonly-cidr']))
  imageOf(options)
  const share = shareOf(options)
  if (share && !existsSync(share.path)) {
    throw fail('E_OPTION', { option: '--virtualbox-share-folder', why: `there is no folder ${share.path}` })
  }
  if (!['headless', 'gui', 'sdl'].includes(String(options['ui-type']))) {
    throw fail('E_OPTION', { option: '--virtualbox-ui-type', why: 'it is headless, gui or sdl' })
  }
  if (options['user-data'] !== undefined) await readUserData(String(options['user-data']))
  const { version, isModuleMissing } = await versionOf(vbox)
  if (!isAtLeast(version, oldest)) {
    const how = 'install 6.1 or newer'
    throw fail('E_VIRTUALBOX_UNFIT', { why: `it is version ${version.join('.')}`, how })
  }
  if (isModuleMissing) throw fail('E_VIRTUALBOX_UNFIT', moduleAdvice)
}

async function versionOf(vbox: VBoxManage): Promise<{ version: Version; isModuleMissing: boolean }> {
  const { stdout, error, isModuleMissing } = await vbox.call(['--version'])
  const version = parseVersion(stdout)
  if (!version) throw fail('E_VBOXMANAGE', { command: '--version', why: error ?? 'it names none' })
  return { version, isModuleMissing }
}

function isAtLeast([major, minor]: Version, [a, b]: readonly [number, number]): boolean {
  return major > a || (major === a && minor >= b)
}

/** On macOS interfaces of the old kind fail at the start from 7.0 on; elsewhere there is no other kind. */
function networkKind(version: Version): NetworkKind {
  return process.platform === 'darwin' && isAtLeast(version, withHostOnlyNet) ? 'hostonlynet' : 'hostonlyif'
}

function imageOf(options: DriverOptions) {
  const checksum = options['image-checksum'] as string | undefined
  // It runs guests of this computer's own architecture, and no other.
  return parseImage(String(options.image), checksum, process.arch === 'arm64' ? 'arm64' : 'x64', 'any')
}

function machineOf(context: DriverContext): VBoxMachine {
  const { record, paths } = context
  const { 'tsmachine:id': id, 'tsmachine:name': name } = machineTags(record)
  return {
    uuid: uuidOf(context),
    name: resourceName(record),
    tags: { 'tsmachine/id': id!, 'tsmachine/name': name! },
    folder: paths.driver,
    disk: diskOf(context),
    seed: join(paths.driver, 'seed.iso'),
    console: join(paths.driver, 'console.log'),
    arch: process.arch === 'arm64' ? 'arm' : 'x86',
    memoryMb: Number(record.options.memory),
    cpuCount: Number(record.options['cpu-count']),
    macs: macsOf(context),
    hostOnly: leaseOf(context),
    share: shareOf(record.options),
  }
}

function uuidOf({ record }: DriverContext): string {
  return vmUuid(record.id)
}

function diskOf({ paths }: DriverContext): string {
  return join(paths.driver, 'disk.vdi')
}

/** VirtualBox's own prefix, with the machine's id behind it. */
function macsOf({ record }: DriverContext): VBoxMachine['macs'] {
  const pairs = (text: string) => text.match(/../g)!.join(':')
  return {
    nat: `08:00:27:${pairs(record.id.slice(0, 6))}`,
    hostOnly: `0a:00:27:${pairs(record.id.slice(6, 12))}`,
  }
}

function leaseOf({ record }: DriverContext): HostOnlyLease {
  // Never looked at before its step is done, but when a machine is taken back that came not so far.
  return (record.made.hostOnly ?? { kind: 'hostonlyif', network: '', address: '', bits: 24 }) as HostOnlyLease
}

/** FOLDER:NAME, the folder with a drive's letter on Windows. @throws E_OPTION */
function shareOf(options: DriverOptions): VBoxMachine['share'] {
  const text = options['share-folder'] as string | undefined
  if (text === undefined) return undefined
  const [, path, name] = /^(.+):([A-Za-z0-9][\w.-]*)$/.exec(text) ?? []
  if (!path || !name)
    throw fail('E_OPTION', { option: '--virtualbox-share-folder', why: 'it is FOLDER:NAME' })
  return { path: resolve(path), name }
}

/** The guest boots without it where its kernel has no shared folders. */
function mountsOf(options: DriverOptions): Record<string, unknown> | undefined {
  const share = shareOf(options)
  if (!share) return undefined
  return { mounts: [[share.name, `/mnt/${share.name}`, 'vboxsf', 'nofail,_netdev', '0', '0']] }
}
