/**
 * The host-only network of a storage's machines: this computer and the machines reach one another in it, each at
 * an address of its own. One file a storage says who is in it; it goes away with its last machine, if we made it.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfThere, writeFileAtomic } from '../../../shared/files.ts'
import { fail } from '../../errors.ts'
import { storageId } from '../../paths.ts'
import type { DriverContext } from '../driver.ts'
import { parseRecords } from './machine-readable.ts'
import { type VBoxManage, vboxFailure } from './vboxmanage.ts'

/** `hostonlyif` is the old kind, and the only one outside macOS. */
export type NetworkKind = 'hostonlyif' | 'hostonlynet'

export interface HostOnlyLease {
  kind: NetworkKind
  network: string
  /** The machine's own, without the size. */
  address: string
  /** Bits of the network's mask. */
  bits: number
}

interface NetworkFile {
  kind: NetworkKind
  cidr: string
  /** Undefined as long as it is being made: its name is VirtualBox's choice. */
  network?: string
  /** Interfaces that were there before ours was made. */
  before?: string[]
  isOurs: boolean
  addresses: Record<string, string>
}

export interface Cidr {
  /** This computer's address. */
  host: string
  bits: number
  mask: string
}

/** @throws E_OPTION */
export function parseCidr(text: string): Cidr {
  const [, host, size] = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/.exec(text) ?? []
  const bits = Number(size)
  if (!host || host.split('.').some((byte) => Number(byte) > 255) || bits < 8 || bits > 29) {
    const why = `"${text}" is no address with a size from 8 to 29, like 192.168.56.1/24`
    throw fail('E_OPTION', { option: '--virtualbox-hostonly-cidr', why })
  }
  return { host, bits, mask: fromNumber(maskOf(bits)) }
}

/** The lowest address of the network that nobody has: from 10 on, where the network is large enough. */
export function chooseHostAddress({ host, bits }: Cidr, taken: readonly string[]): string {
  const network = (toNumber(host) & maskOf(bits)) >>> 0
  const size = 2 ** (32 - bits)
  const used = new Set([host, ...taken])
  for (let i = size > 32 ? 10 : 2; i < Math.min(size - 1, 100); i++) {
    const address = fromNumber(network + i)
    if (!used.has(address)) return address
  }
  throw fail('E_OPTION', { option: '--virtualbox-hostonly-cidr', why: 'all its addresses are taken' })
}

type NetworkContext = Pick<DriverContext, 'record' | 'storage' | 'withStorage'>

/**
 * The machine's place in the network, which is made where it is missing.
 * @throws E_OPTION where VirtualBox allows no such network
 */
export async function takeHostOnly(
  vbox: VBoxManage,
  { record, storage, withStorage }: NetworkContext,
  kind: NetworkKind,
  cidrText: string,
): Promise<HostOnlyLease> {
  const cidr = parseCidr(cidrText)
  return withStorage(async () => {
    let file = await readFile(storage)
    if (file && file.cidr !== cidrText) {
      const why = `this storage's machines have ${file.cidr} already`
      throw fail('E_OPTION', { option: '--virtualbox-hostonly-cidr', why })
    }
    file ??= { kind, cidr: cidrText, isOurs: false, addresses: {} }
    const address = file.addresses[record.id] ?? chooseHostAddress(cidr, Object.values(file.addresses))
    file.addresses[record.id] = address
    await writeFile(storage, file)
    await (kind === 'hostonlyif' ? ensureInterface : ensureNet)(vbox, storage, file, cidr)
    return { kind, network: file.network!, address, bits: cidr.bits }
  })
}

/** Gives the machine's place back; nothing there is fine. */
export async function dropHostOnly(
  vbox: () => VBoxManage,
  { record, storage, withStorage }: NetworkContext,
): Promise<void> {
  await withStorage(async () => {
    const file = await readFile(storage)
    if (!file || !Object.hasOwn(file.addresses, record.id)) return
    const { [record.id]: _, ...addresses } = file.addresses
    if (Object.keys(addresses).length > 0) return writeFile(storage, { ...file, addresses })
    await removeNetwork(vbox, file)
    await rm(fileOf(storage), { force: true })
  })
}

async function ensureInterface(
  vbox: VBoxManage,
  storage: string,
  file: NetworkFile,
  cidr: Cidr,
): Promise<void> {
  const interfaces = parseRecords(await vbox.run(['list', 'hostonlyifs']))
  const there = interfaces.find(({ IPAddress, Name }) => IPAddress === cidr.host || Name === file.network)
  if (there) {
    file.network = there.Name!
    return writeFile(storage, file)
  }
  const names = interfaces.map(({ Name }) => Name!)
  // Made by a run of ours that was killed before it wrote down the name.
  let name = file.before && names.find((one) => !file.before!.includes(one))
  if (!name) {
    file.before = names
    file.isOurs = true
    await writeFile(storage, file)
    const said = await vbox.run(['hostonlyif', 'create'])
    const after = parseRecords(await vbox.run(['list', 'hostonlyifs'])).map(({ Name }) => Name!)
    name = /'(vboxnet\d+|[^']*Host-Only[^']*)'/.exec(said)?.[1] ?? after.find((one) => !names.includes(one))
    if (!name) throw fail('E_VBOXMANAGE', { command: 'hostonlyif create', why: 'it names no interface' })
  }
  file.network = name
  file.isOurs = true
  await writeFile(storage, file)
  const args = ['hostonlyif', 'ipconfig', name, '--ip', cidr.host, '--netmask', cidr.mask]
  const result = await vbox.call(args)
  if (result.code === 'E_ACCESSDENIED') {
    const why = `VirtualBox allows no ${file.cidr}; allow it by a line "* ${file.cidr}" in /etc/vbox/networks.conf`
    throw fail('E_OPTION', { option: '--virtualbox-hostonly-cidr', why })
  }
  if (result.error) throw vboxFailure(args, result)
}

/** The new kind has a name of our choice, and a DHCP server of its own above our addresses. */
async function ensureNet(vbox: VBoxManage, storage: string, file: NetworkFile, cidr: Cidr): Promise<void> {
  const name = `tsmachine-${storageId(storage)}`
  const there = parseRecords(await vbox.run(['list', 'hostonlynets'])).some((net) => net.Name === name)
  file.network = name
  file.isOurs = true
  await writeFile(storage, file)
  if (there) return
  const network = (toNumber(cidr.host) & maskOf(cidr.bits)) >>> 0
  const last = network + 2 ** (32 - cidr.bits) - 2
  const range = ['--lower-ip', cidr.host, '--upper-ip', fromNumber(last)]
  await vbox.run(['hostonlynet', 'add', '--name', name, '--netmask', cidr.mask, ...range, '--enable'])
}

async function removeNetwork(vbox: () => VBoxManage, file: NetworkFile): Promise<void> {
  if (!file.isOurs) return
  const isOld = file.kind === 'hostonlyif'
  const list = parseRecords(await vbox().run(['list', isOld ? 'hostonlyifs' : 'hostonlynets']))
  const names = list.map(({ Name }) => Name!)
  const name = file.network ?? names.find((one) => file.before && !file.before.includes(one))
  if (!name || !names.includes(name)) return
  await vbox().run(isOld ? ['hostonlyif', 'remove', name] : ['hostonlynet', 'remove', '--name', name])
}

async function readFile(storage: string): Promise<NetworkFile | undefined> {
  const text = await readIfThere(fileOf(storage))
  return text === undefined ? undefined : (JSON.parse(text) as NetworkFile)
}

async function writeFile(storage: string, file: NetworkFile): Promise<void> {
  await writeFileAtomic(fileOf(storage), `${JSON.stringify(file, undefined, 2)}\n`)
}

function fileOf(storage: string): string {
  return join(storage, 'virtualbox-network.json')
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
}

function fromNumber(number: number): string {
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')
}

function maskOf(bits: number): number {
  return (0xffffffff << (32 - bits)) >>> 0
}
