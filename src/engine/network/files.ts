/** The files that a container gets for its network: hosts(5), resolv.conf(5), hostname(5). Pure. */
import type { ResolverSettings } from './records.ts'

/** Where containers on user-defined and overlay networks ask for names. */
export const resolverAddress = '127.0.0.11'

export function hostnameFile(hostname: string): string {
  return `${hostname}\n`
}

const fixedHosts = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
]

export interface HostsFile {
  hostname: string
  domainname?: string
  /** Its own addresses, in the order of its devices. */
  addresses: readonly string[]
  /** HostConfig.ExtraHosts: "name:address", the address perhaps "host-gateway". */
  extra?: readonly string[]
  /** What "host-gateway" stands for. */
  hostGateway?: string
}

/** Docker's content, in Docker's order. */
export function hostsFile({ hostname, domainname, addresses, extra = [], hostGateway }: HostsFile): string {
  const names = domainname ? `${hostname}.${domainname} ${hostname}` : hostname
  const own = addresses.map((address) => `${address}\t${names}`)
  return `${[...fixedHosts, ...extraHostLines(extra, hostGateway), ...own].join('\n')}\n`
}

/** "name:address" -> lines of a hosts file; what is none is left out. */
export function extraHostLines(extra: readonly string[], hostGateway: string | undefined): string[] {
  return extra.flatMap((line) => {
    // The name ends at the first colon or equals sign: IPv6 addresses have colons too.
    const [, name, address = ''] = /^([^:=]+)[:=](.*)$/.exec(line) ?? []
    const target = address === 'host-gateway' ? hostGateway : address.replace(/^\[(.*)\]$/, '$1')
    return name && target ? [`${target}\t${name}`] : []
  })
}

/** What the host's own file says. */
export function parseResolvConf(text: string): ResolverSettings {
  const settings: ResolverSettings = { servers: [], search: [], options: [] }
  for (const line of text.split('\n')) {
    const [keyword, ...words] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/)
    if (keyword === 'nameserver' && words[0]) settings.servers.push(words[0])
    // Of several of these the last one counts, except that options add up (resolv.conf(5)).
    else if (keyword === 'search' || keyword === 'domain') settings.search = words
    else if (keyword === 'options') settings.options.push(...words)
  }
  return settings
}

/** Used where the host has no server that a container could reach, as Docker does. */
export const fallbackServers = ['8.8.8.8', '8.8.4.4']

/** The host's settings with what the container asks for in their place. */
export function containerResolver(host: ResolverSettings, own: Partial<ResolverSettings>): ResolverSettings {
  const pick = (mine: string[] | undefined, theirs: string[]) => (mine?.length ? mine : theirs)
  const search = pick(own.search, host.search)
  return {
    servers: pick(own.servers, host.servers),
    // "." alone asks for none.
    search: search.length === 1 && search[0] === '.' ? [] : search,
    options: pick(own.options, host.options),
  }
}

/** A server on the host's own loopback is none for a container with a network of its own. */
export function reachableServers(servers: readonly string[]): string[] {
  const reachable = servers.filter((server) => !/^127\.|^::1$/.test(server))
  return reachable.length > 0 ? reachable : [...fallbackServers]
}

/** For a container on the network `bridge` (or the host's): it asks the servers itself. */
export function plainResolvConf({ servers, search, options }: ResolverSettings): string {
  return resolvConf(servers, search, options)
}

/** For a container on a user-defined or overlay network: it asks us, and we the servers. */
export function embeddedResolvConf({ servers, search, options }: ResolverSettings): string {
  const own = options.some((option) => option.startsWith('ndots:')) ? options : [...options, 'ndots:0']
  return `${resolvConf([resolverAddress], search, own)}# ExtServers: [${servers.join(' ')}]\n`
}

function resolvConf(
  servers: readonly string[],
  search: readonly string[],
  options: readonly string[],
): string {
  return [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('')
}
