/**
 * All drivers, on one page. Options are here at once, since help shows them; a driver's code, and whatever
 * library it needs, loads when it is chosen.
 */
import { fail } from '../errors.ts'
import { azureOptions } from './azure/options.ts'
import type { Driver, OptionTable } from './driver.ts'
import { ec2Options } from './ec2/options.ts'
import { genericOptions } from './generic/options.ts'
import { localOptions } from './local/options.ts'
import { qemuOptions } from './qemu/options.ts'
import { virtualboxOptions } from './virtualbox/options.ts'

export interface DriverEntry {
  summary: string
  /** Other names: docker-machine's. */
  aliases?: readonly string[]
  options: OptionTable
  load: () => Promise<Driver>
}

export const drivers: Record<string, DriverEntry> = {
  ec2: {
    summary: 'An instance on Amazon EC2, or on a server that speaks its API',
    aliases: ['amazonec2'],
    options: ec2Options,
    load: async () => (await import('./ec2/driver.ts')).ec2Driver,
  },
  azure: {
    summary: 'A virtual machine in Microsoft Azure',
    options: azureOptions,
    load: async () => (await import('./azure/driver.ts')).azureDriver,
  },
  generic: {
    summary: 'A host that is there already and reachable by SSH',
    options: genericOptions,
    load: async () => (await import('./generic/driver.ts')).genericDriver,
  },
  local: {
    summary: 'A light host on this Linux machine, made of namespaces; a place to try things',
    options: localOptions,
    load: async () => (await import('./local/driver.ts')).localDriver,
  },
  qemu: {
    summary: 'A virtual machine on this computer, run by QEMU',
    options: qemuOptions,
    load: async () => (await import('./qemu/driver.ts')).qemuDriver,
  },
  virtualbox: {
    summary: 'A virtual machine on this computer, run by VirtualBox',
    options: virtualboxOptions,
    load: async () => (await import('./virtualbox/driver.ts')).virtualboxDriver,
  },
}

/** @throws E_DRIVER_UNKNOWN */
export function driverEntry(name: string): DriverEntry {
  return drivers[driverName(name)]!
}

/** The driver's own name, for one of its names. @throws E_DRIVER_UNKNOWN */
export function driverName(name: string): string {
  if (Object.hasOwn(drivers, name)) return name
  const found = Object.entries(drivers).find(([, { aliases }]) => aliases?.includes(name))
  if (!found) throw fail('E_DRIVER_UNKNOWN', { driver: name, known: Object.keys(drivers) })
  return found[0]
}
