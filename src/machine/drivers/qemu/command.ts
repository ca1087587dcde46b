/**
 * QEMU's command line for a machine: pure, and with paths relative to the machine's own folder, where a comma in
 * a path would have to be doubled.
 */
import type { ImageArch } from '../vm/images.ts'

export type Accelerator = 'kvm' | 'hvf' | 'tcg'

export interface Forward {
  address: string
  port: number
  guestPort: number
  protocol: 'tcp' | 'udp'
}

export interface Vm {
  /** Stands in the command line alone, so that its process is told from all others. */
  uuid: string
  name: string
  arch: ImageArch
  accelerator: Accelerator
  memoryMb: number
  cpuCount: number
  hasDisk: boolean
  forwards: readonly Forward[]
  mac: string
  /** Socket of its monitor, relative or absolute. */
  monitor: string
  firmware?: string
  kernel?: { path: string; initrd?: string; append?: string }
}

export const emulators: Record<ImageArch, string> = {
  x64: 'qemu-system-x86_64',
  arm64: 'qemu-system-aarch64',
}

/** The id in the form of a UUID of version 8; "tsmachin" and the machine's id. */
export function vmUuid(id: string): string {
  return `74736d61-6368-896e-a000-${id}`
}

/** A locally administered address of QEMU's own range, from the machine's id. */
export function vmMac(id: string): string {
  return `52:54:00:${id.slice(0, 6).replace(/..(?=.)/g, '$&:')}`
}

export function qemuArgs(vm: Vm): string[] {
  const { uuid, name, memoryMb, cpuCount, hasDisk, forwards, mac, monitor, firmware, kernel } = vm
  const rules = forwards.map(
    ({ protocol, address, port, guestPort }) => `,hostfwd=${protocol}:${address}:${port}-:${guestPort}`,
  )
  return [
    ...['-name', `tsmachine-${name}`, '-uuid', uuid],
    ...['-nodefaults', '-no-user-config', '-display', 'none'],
    ...processorArgs(vm),
    ...['-smp', String(cpuCount), '-m', `${memoryMb}M`],
    ...(firmware === undefined ? [] : ['-bios', firmware]),
    ...(kernel === undefined ? [] : kernelArgs(kernel)),
    ...(hasDisk ? driveArgs('disk', 'disk.qcow2', 'qcow2') : []),
    ...driveArgs('seed', 'seed.iso', 'raw'),
    ...['-netdev', `user,id=net${rules.join('')}`],
    // Without a ROM to boot from the network, which some builds of QEMU lack.
    ...['-device', `virtio-net-pci,netdev=net,mac=${mac},romfile=`],
    ...['-device', 'virtio-rng-pci'],
    ...['-chardev', 'file,id=console,path=console.log', '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=monitor,path=${doubleCommas(monitor)},server=on,wait=off`],
    ...['-mon', 'chardev=monitor,mode=control'],
  ]
}

/** Machine and processor; the accelerator's own model where it lends the real one. */
export function processorArgs({ arch, accelerator }: Pick<Vm, 'arch' | 'accelerator'>): string[] {
  const machine = arch === 'x64' ? 'q35' : 'virt'
  // Authenticated pointers in their architected form cost software emulation half of its speed.
  const emulated = arch === 'x64' ? 'max' : 'max,pauth-impdef=on'
  const cpu = accelerator === 'tcg' ? emulated : 'host'
  // Translations beyond 1 GB are no gain, and several guests share this machine.
  const accel = accelerator === 'tcg' ? 'tcg,thread=multi,tb-size=512' : accelerator
  return ['-machine', machine, '-accel', accel, '-cpu', cpu]
}

function kernelArgs({ path, initrd, append }: NonNullable<Vm['kernel']>): string[] {
  return [
    ...['-kernel', path],
    ...(initrd === undefined ? [] : ['-initrd', initrd]),
    ...(append === undefined ? [] : ['-append', append]),
  ]
}

function driveArgs(id: 'disk' | 'seed', file: string, format: string): string[] {
  const more = id === 'seed' ? ',readonly=on' : ',discard=unmap'
  return [
    ...['-drive', `if=none,id=${id},file=${file},format=${format}${more}`],
    ...['-device', `virtio-blk-pci,drive=${id}${id === 'disk' ? ',bootindex=1' : ''}`],
  ]
}

function doubleCommas(text: string): string {
  return text.replaceAll(',', ',,')
}

/** [ADDRESS:]PORT:GUESTPORT[/tcp|/udp], on 127.0.0.1 unless it says otherwise; undefined where it is none. */
export function parseForward(text: string): Forward | undefined {
  const found = /^(?:(\d{1,3}(?:\.\d{1,3}){3}):)?(\d{1,5}):(\d{1,5})(?:\/(tcp|udp))?$/.exec(text)
  if (!found) return undefined
  const [, address = '127.0.0.1', port, guestPort, protocol = 'tcp'] = found
  const ports = [Number(port), Number(guestPort)]
  if (ports.some((number) => number < 1 || number > 65535)) return undefined
  if (address.split('.').some((byte) => Number(byte) > 255)) return undefined
  return { address, port: ports[0]!, guestPort: ports[1]!, protocol: protocol as Forward['protocol'] }
}
