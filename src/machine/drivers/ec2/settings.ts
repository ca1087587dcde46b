/** The options as the driver uses them: checked, and in types. */
import { isIP } from 'node:net'
import { fail } from '../../errors.ts'
import type { DriverOptions } from '../../record.ts'

export interface OpenPort {
  port: number
  protocol: 'tcp' | 'udp'
}

export interface Settings {
  region?: string
  profile?: string
  endpoint?: string
  zones: string[]
  vpc?: string
  subnets: string[]
  types: string[]
  image?: string
  sshUser: string
  sshPort: number
  /** Networks in CIDR form; empty where the caller's address is to be learned. */
  allowFrom: string[]
  /** The user's own groups; empty means ours. */
  groups: string[]
  openPorts: OpenPort[]
  tags: Record<string, string>
  rootGb: number
  volumeType: string
  kmsKey?: string
  profileOfInstance?: string
  keyName?: string
  isSpot: boolean
  isSpotOnly: boolean
  spotPrice?: string
  hasPublicAddress: boolean
  reachBy: 'public' | 'private' | 'ipv6'
  ipv6Count: number
  wantsElasticIp: boolean
  httpTokens: 'required' | 'optional'
  hopLimit: number
  monitoring: boolean
  userData?: string
  /** How long what is new may stay unseen. */
  windowMs: number
}

/** @throws E_OPTION with the flag's name */
export function settingsOf(options: DriverOptions): Settings {
  const text = (name: string) => options[name] as string | undefined
  const list = (name: string) => (options[name] as string[] | undefined) ?? []
  const isOn = (name: string) => options[name] === true
  const number = (name: string, least: number, otherwise: number) => {
    const value = Number(options[name] ?? otherwise)
    if (!Number.isInteger(value) || value < least) throw bad(name, `it must be a number from ${least} on`)
    return value
  }
  const ipv6Only = isOn('ipv6-address-only')
  const isPrivate = isOn('private-address-only')
  const settings: Settings = {
    region: text('region'),
    profile: text('profile'),
    endpoint: endpointOf(text('endpoint')),
    zones: list('zone'),
    vpc: text('vpc-id'),
    subnets: list('subnet-id'),
    types: list('instance-type').length > 0 ? list('instance-type') : ['t3.small'],
    image: text('ami'),
    sshUser: text('ssh-user') ?? 'ubuntu',
    sshPort: number('ssh-port', 1, 22),
    allowFrom: list('allow-from').map(cidrOf),
    groups: list('security-group'),
    openPorts: list('open-port').map(openPortOf),
    tags: tagsOf(text('tags')),
    rootGb: number('root-size', 1, 16),
    volumeType: text('volume-type') ?? 'gp3',
    kmsKey: text('kms-key'),
    profileOfInstance: text('iam-instance-profile'),
    keyName: text('keypair-name'),
    isSpot: isOn('spot') || isOn('spot-only'),
    isSpotOnly: isOn('spot-only'),
    spotPrice: text('spot-price'),
    hasPublicAddress: !isPrivate && !ipv6Only,
    reachBy: ipv6Only ? 'ipv6' : isPrivate || isOn('use-private-address') ? 'private' : 'public',
    ipv6Count: Math.max(number('ipv6-address-count', 0, 0), ipv6Only ? 1 : 0),
    wantsElasticIp: isOn('elastic-ip'),
    httpTokens: httpTokensOf(text('http-tokens')),
    hopLimit: number('metadata-hop-limit', 1, 1),
    monitoring: isOn('monitoring'),
    userData: text('userdata'),
    windowMs: number('consistency-seconds', 0, 120) * 1000,
  }
  requireSense(settings)
  return settings
}

function requireSense(settings: Settings): void {
  const { endpoint, allowFrom, groups, openPorts, reachBy, wantsElasticIp, hasPublicAddress } = settings
  if (groups.length > 0 && allowFrom.length + openPorts.length > 0) {
    throw bad(
      'security-group',
      'groups of yours are never edited: leave --ec2-allow-from and --ec2-open-port out',
    )
  }
  if (groups.length === 0 && allowFrom.length === 0 && (endpoint !== undefined || reachBy === 'private')) {
    const from = endpoint === undefined ? 'its private network' : 'another cloud'
    throw bad('allow-from', `it must be given: how ${from} sees this client can't be learned`)
  }
  if (wantsElasticIp && !hasPublicAddress) throw bad('elastic-ip', 'the machine is to have no public address')
}

function bad(name: string, why: string) {
  return fail('E_OPTION', { option: `--ec2-${name}`, why })
}

function endpointOf(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  const full = url.includes('://') ? url : `https://${url}`
  if (!URL.canParse(full) || !/^https?:$/.test(new URL(full).protocol))
    throw bad('endpoint', `"${url}" is no URL`)
  return full
}

/** An address is a network of one. */
export function cidrOf(given: string): string {
  const [address = '', bits, rest] = given.split('/')
  const version = isIP(address)
  const most = version === 6 ? 128 : 32
  const isRight = version !== 0 && rest === undefined && (bits === undefined || /^\d{1,3}$/.test(bits))
  if (!isRight || Number(bits ?? 0) > most)
    throw bad('allow-from', `"${given}" is no network like 192.0.2.0/24`)
  return `${address}/${bits ?? most}`
}

function openPortOf(given: string): OpenPort {
  const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(given) ?? []
  if (port === undefined || Number(port) < 1 || Number(port) > 65_535)
    throw bad('open-port', `"${given}" is no port like 443 or 53/udp`)
  return { port: Number(port), protocol: protocol as 'tcp' | 'udp' }
}

function tagsOf(text: string | undefined): Record<string, string> {
  if (text === undefined || text === '') return {}
  const parts = text.split(',')
  if (parts.length % 2 === 1) throw bad('tags', 'it must be key1,value1,key2,value2')
  const tags: Record<string, string> = {}
  for (let i = 0; i < parts.length; i += 2) {
    const key = parts[i]!.trim()
    if (key === '' || key.startsWith('tsmachine:') || key.startsWith('aws:'))
      throw bad('tags', `"${key}" can't be a tag of yours`)
    tags[key] = parts[i + 1]!.trim()
  }
  return tags
}

function httpTokensOf(text = 'required'): 'required' | 'optional' {
  if (text === 'required' || text === 'optional') return text
  throw bad('http-tokens', 'it must be required or optional')
}
