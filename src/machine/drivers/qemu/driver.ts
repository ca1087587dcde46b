/**
 * The QEMU driver: a virtual machine on this computer, from a cloud image or a kernel, reached through forwarded
 * ports of 127.0.0.1.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isFailure } from '../../../shared/errors.ts'
import { readUserData } from '../../cloud-init/user-data.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { DriverOptions } from '../../record.ts'
import type { Driver, DriverContext } from '../driver.ts'
import { guestPorts, noteAddresses, readConsole, requireFiles, requireRange, writeSeed } from '../vm/guest.ts'
import {
  defaultImage,
  dropPartialImages,
  ensureImage,
  type ImageArch,
  imageCache,
  parseImage,
} from '../vm/images.ts'
import { dropPorts, isPortFree, leasedPorts, type PortLease, takePorts } from '../vm/ports.ts'
import { requireProgram } from '../vm/programs.ts'
import { chooseAccelerator, parseAccelerator } from './accelerator.ts'
import { type Accelerator, emulators, parseForward, type Vm, vmMac, vmUuid } from './command.ts'
import { hasDisk, inspectImage, makeDisk } from './disk.ts'
import { firmwareFor } from './firmware.ts'
import { killVm, monitorPath, observeVm, startVm, stopVm, type VmPlace } from './host.ts'

export const qemuDriver: Driver = {
  check,
  steps: [
    {
      id: 'qemu.image',
      describe: ({ record }) => `Have the image ${imageOf(record.options) ?? '(none: it boots a kernel)'}`,
      probe: async () => false,
      do: haveImage,
      // The image itself stays for others; what is half fetched goes.
      undo: async ({ storage }) => dropPartialImages(imageCache(storage)),
    },
    {
      id: 'qemu.disk',
      describe: () => 'Make its disk',
      probe: async ({ record, paths }) => record.made.image === undefined || hasDisk(paths.driver),
      do: layDisk,
      undo: async ({ paths }) => rm(paths.driver, { recursive: true, force: true }),
    },
    {
      id: 'qemu.seed',
      describe: () => 'Write what cloud-init is told',
      // Cheap and idempotent: done again whenever it is in doubt.
      probe: async () => false,
      do: async (context) => void (await writeSeed(context)),
      undo: async ({ paths }) => rm(join(paths.driver, 'seed.iso'), { force: true }),
    },
    {
      id: 'qemu.ports',
      describe: () => 'Choose ports',
      probe: async ({ record }) => record.made.ports !== undefined,
      do: async (context) => void (await choosePorts(context)),
      undo: dropPorts,
    },
    {
      id: 'qemu.start',
      describe: () => 'Start the virtual machine',
      probe: async (context) =>
        context.record.ssh !== undefined && (await observeVm(placeOf(context))) !== 'Stopped',
      do: powerOn,
      undo: async (context) => killVm(placeOf(context)),
    },
  ],
  ownsHost: true,
  observe: async (context) => observeVm(placeOf(context)),
  console: ({ paths }) => readConsole(join(paths.driver, 'console.log')),
  power: {
    start: powerOn,
    stop: async (context) => stopVm(placeOf(context)),
    kill: async (context) => killVm(placeOf(context)),
    restart: async (context, run) => {
      await stopVm(placeOf(context))
      await powerOn(context, run)
    },
  },
}

const advice = {
  linux: 'apt-get install -y --no-install-recommends qemu-system qemu-utils',
  darwin: 'brew install qemu',
  win32: 'winget install SoftwareFreedomConservancy.QEMU',
}

async function check(options: DriverOptions): Promise<void> {
  const arch = archOf(options)
  requireRange('qemu', options, {
    memory: [64, 4 * 1024 * 1024],
    'cpu-count': [1, 255],
    'disk-size': [16, 64 * 1024 * 1024],
  })
  requireFiles('qemu', options, ['kernel', 'initrd', 'firmware'])
  for (const name of ['initrd', 'append']) {
    if (options[name] === undefined || options.kernel !== undefined) continue
    throw fail('E_OPTION', { option: `--qemu-${name}`, why: 'it goes with --qemu-kernel' })
  }
  forwardsOf(options)
  const image = imageOf(options)
  if (image !== undefined) parseImage(image, options['image-checksum'] as string | undefined, arch)
  if (options['user-data'] !== undefined) await readUserData(String(options['user-data']))
  const wanted = parseAccelerator(options.accelerator as string | undefined)
  const emulator = requireProgram(emulators[arch], advice)
  if (image !== undefined) requireProgram('qemu-img', advice)
  firmwareFor(arch, options.firmware as string | undefined, options.kernel !== undefined, emulator)
  if (wanted) await chooseAccelerator(emulator, arch, wanted)
}

async function haveImage({ record, storage }: DriverContext, run: StepRun): Promise<void> {
  const image = imageOf(record.options)
  if (image === undefined) return
  const source = parseImage(
    image,
    record.options['image-checksum'] as string | undefined,
    archOf(record.options),
  )
  record.made.image = await ensureImage(source, imageCache(storage), run)
}

async function layDisk({ record, paths }: DriverContext): Promise<void> {
  const path = record.made.image as string | undefined
  if (path === undefined) return
  await mkdir(paths.driver, { recursive: true, mode: 0o700 })
  const qemuImg = requireProgram('qemu-img', advice)
  const info = await inspectImage(qemuImg, path, imageOf(record.options)!)
  await makeDisk(qemuImg, paths.driver, { ...info, path }, Number(record.options['disk-size']))
}

async function choosePorts(context: DriverContext): Promise<PortLease> {
  const ports = await takePorts(context, Object.keys(guestPorts))
  context.record.made.ports = ports
  return ports
}

/** How often to take other ports where somebody takes ours between the choice and the start. */
const startTries = 3

async function powerOn(context: DriverContext, run: StepRun): Promise<void> {
  const place = placeOf(context)
  if ((await observeVm(place)) !== 'Stopped') {
    context.record.made.ports = await leasedPorts(context)
    return noteAddresses(context, context.record.made.ports as PortLease)
  }
  const { record } = context
  const arch = archOf(record.options)
  const emulator = requireProgram(emulators[arch], advice)
  const wanted = parseAccelerator(record.options.accelerator as string | undefined)
  // Asked anew each time: the machine may have been moved to another computer, or this one set up otherwise.
  const accelerator = await chooseAccelerator(emulator, arch, wanted)
  run.progress(accelerator === 'tcg' ? 'by software emulation' : `with ${accelerator}`)
  record.made.accelerator = accelerator
  for (let i = 1; ; i++) {
    const ports = await choosePorts(context)
    run.signal.throwIfAborted()
    try {
      await startVm(emulator, vmOf(context, emulator, accelerator, ports), place)
      return await noteAddresses(context, ports)
    } catch (error) {
      if (i === startTries || !isFailure(error, 'E_HOST_DIED') || (await areFree(ports))) throw error
    }
  }
}

async function areFree(ports: PortLease): Promise<boolean> {
  return (await Promise.all(Object.values(ports).map((port) => isPortFree(port)))).every(Boolean)
}

function vmOf(
  { record, paths }: DriverContext,
  emulator: string,
  accelerator: Accelerator,
  ports: PortLease,
): Vm {
  const { id, name, options } = record
  const text = (key: string) => options[key] as string | undefined
  const path = (key: string) => {
    const given = text(key)
    return given === undefined ? undefined : resolve(given)
  }
  const arch = archOf(options)
  const kernel = path('kernel')
  const uuid = vmUuid(id)
  const own = Object.entries(guestPorts).map(([key, guestPort]) => ({
    address: '127.0.0.1',
    port: ports[key]!,
    guestPort,
    protocol: 'tcp' as const,
  }))
  return {
    uuid,
    name,
    arch,
    accelerator,
    memoryMb: Number(options.memory),
    cpuCount: Number(options['cpu-count']),
    hasDisk: hasDisk(paths.driver),
    forwards: [...own, ...forwardsOf(options)],
    mac: vmMac(id),
    monitor: monitorPath({ folder: paths.driver, uuid }),
    firmware: firmwareFor(arch, text('firmware'), kernel !== undefined, emulator),
    ...(kernel && { kernel: { path: kernel, initrd: path('initrd'), append: text('append') } }),
  }
}

function placeOf({ record, paths }: DriverContext): VmPlace {
  return { name: record.name, uuid: vmUuid(record.id), folder: paths.driver }
}

/** The image named, or the default; undefined for a machine that is a kernel and its initial RAM disk. */
function imageOf(options: DriverOptions): string | undefined {
  const named = options.image as string | undefined
  return named ?? (options.kernel === undefined ? defaultImage : undefined)
}

function archOf(options: DriverOptions): ImageArch {
  const arch = (options.arch ?? process.arch) as string
  if (arch === 'x64' || arch === 'arm64') return arch
  throw fail('E_OPTION', { option: '--qemu-arch', why: `"${arch}" is neither x64 nor arm64` })
}

function forwardsOf(options: DriverOptions) {
  return ((options.forward as string[] | undefined) ?? []).map((text) => {
    const forward = parseForward(text)
    if (forward) return forward
    throw fail('E_OPTION', {
      option: '--qemu-forward',
      why: `"${text}" is no [ADDRESS:]PORT:GUESTPORT[/udp]`,
    })
  })
}
