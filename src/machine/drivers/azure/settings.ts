/**
 * What was asked for, read once out of the flat options: checked, with names for what is left out.
 */
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import { fail } from '../../errors.ts'
import type { DriverOptions, MachineRecord } from '../../record.ts'
import { machineTags, ownerOfThisClient, resourceName, sharedTags } from '../tags.ts'
import { cloudOf } from './clouds.ts'

/** A machine's place in Azure: every name is known before anything is made. */
export interface AzureMachine {
  record: MachineRecord
  options: DriverOptions
  owner: string
  location: string
  group: string
  network: { group: string; name: string; subnet: string }
  /** Names of what is made for this machine alone. */
  names: { vm: string; disk: string; nic: string; address: string; firewall: string }
  /** Tags of what is its own, and of what it shares. */
  tags: Record<string, string>
  sharedTags: Record<string, string>
  hasPublicAddress: boolean
  /** A security group of somebody else's that is to be used as it is. */
  foreignFirewall?: string
}

export function azureMachine(record: MachineRecord): AzureMachine {
  const { options } = record
  const owner = record.owner ?? ownerOfThisClient()
  const location = String(options.location)
  const shared = `tsmachine-${createHash('sha256').update(owner).digest('hex').slice(0, 8)}-${location}`
  const group = text(options, 'resource-group') ?? shared
  const vnet = text(options, 'vnet')?.split(':') ?? [shared]
  return {
    record,
    options,
    owner,
    location,
    group,
    network: {
      group: vnet.length > 1 ? vnet[0]! : group,
      name: vnet.at(-1)!,
      subnet: String(options.subnet ?? 'tsmachine'),
    },
    names: {
      vm: resourceName(record),
      disk: resourceName(record, 'disk'),
      nic: resourceName(record, 'nic'),
      address: resourceName(record, 'ip'),
      firewall: resourceName(record, 'firewall'),
    },
    tags: { ...ownTags(options), ...machineTags(record) },
    sharedTags: sharedTags(record),
    hasPublicAddress: options['no-public-ip'] !== true,
    foreignFirewall: text(options, 'nsg'),
  }
}

/** @throws E_OPTION, the first that can't be right */
export function checkSettings(options: DriverOptions): void {
  const bad = (option: string, why: string) => fail('E_OPTION', { option: `--azure-${option}`, why })
  cloudOf(options)
  const subscription = text(options, 'subscription-id') ?? ''
  if (!/^[0-9a-f-]{36}$/i.test(subscription))
    throw bad('subscription-id', `"${subscription}" is no subscription's id`)
  const image = text(options, 'image')
  if (image !== undefined && !image.startsWith('/') && image.split(':').length !== 4)
    throw bad('image', `"${image}" is neither PUBLISHER:OFFER:SKU:VERSION nor an id`)
  const plan = text(options, 'plan')
  if (plan !== undefined && plan.split(':').length !== 3)
    throw bad('plan', `"${plan}" is not PUBLISHER:PRODUCT:NAME`)
  const policy = String(options['spot-eviction-policy'] ?? 'Deallocate')
  if (policy !== 'Deallocate' && policy !== 'Delete')
    throw bad('spot-eviction-policy', `"${policy}" is neither Deallocate nor Delete`)
  const price = text(options, 'spot-max-price')
  if (price !== undefined && !(Number(price) > 0)) throw bad('spot-max-price', `"${price}" is no price`)
  if (options['availability-set'] !== undefined && list(options, 'availability-zone').length > 0)
    throw bad('availability-set', 'a VM is in a zone or in a set, not in both')
  if (options['availability-set'] !== undefined && options.spot === true)
    throw bad('availability-set', 'a spot VM can be in none')
  if (options['no-public-ip'] === true && options.dns !== undefined)
    throw bad('dns', 'there is no public address to name')
  const tags = text(options, 'tags')
  if (tags !== undefined && tags.split(',').length % 2 === 1) throw bad('tags', 'a key lacks its value')
  for (const port of list(options, 'open-port')) openPort(port)
  for (const source of list(options, 'allow-from')) {
    if (!isSource(source)) throw bad('allow-from', `"${source}" is no address or CIDR`)
  }
  const isReachable = list(options, 'allow-from').length > 0 || options.nsg !== undefined
  if (!isReachable && options['use-private-ip'] !== true && options['no-public-ip'] !== true)
    throw bad(
      'allow-from',
      'name the addresses that may reach SSH and the engine, such as your own public one',
    )
}

/** "8080", "53/udp" and "53/*" as Azure writes them. @throws E_OPTION */
export function openPort(given: string): { port: string; protocol: 'Tcp' | 'Udp' | '*' } {
  const [port = '', protocol = 'tcp'] = given.split('/')
  const known = { tcp: 'Tcp', udp: 'Udp', '*': '*' } as const
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535 || !Object.hasOwn(known, protocol))
    throw fail('E_OPTION', { option: '--azure-open-port', why: `"${given}" is no PORT, PORT/udp or PORT/*` })
  return { port, protocol: known[protocol as keyof typeof known] }
}

/** A text option, or undefined when it is not given. */
export function text(options: DriverOptions, name: string): string | undefined {
  const value = options[name]
  return value === undefined || value === '' ? undefined : String(value)
}

/** An option of several values; empty when it is not given. */
export function list(options: DriverOptions, name: string): string[] {
  const value = options[name]
  if (value === undefined) return []
  return Array.isArray(value) ? value : [String(value)]
}

/** docker-machine's way: key,value,key,value. Ours win. */
function ownTags(options: DriverOptions): Record<string, string> {
  const words = text(options, 'tags')?.split(',') ?? []
  return Object.fromEntries(
    words.flatMap((word, i) => (i % 2 === 0 ? [[word.trim(), (words[i + 1] ?? '').trim()]] : [])),
  )
}

function isSource(source: string): boolean {
  const [address = '', bits] = source.split('/')
  const version = isIP(address)
  if (version === 0) return false
  return bits === undefined || (/^\d+$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
