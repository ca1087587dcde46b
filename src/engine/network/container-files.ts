/** Which hosts and resolv.conf a container gets, by the kind of its network. */
import { readFileSync } from 'node:fs'
import {
  containerResolver,
  embeddedResolvConf,
  extraHostLines,
  hostsFile,
  plainResolvConf,
  reachableServers,
} from './files.ts'
import type { HostResolver } from './host-resolver.ts'
import type { EndpointRecord, FileWishes } from './records.ts'

export interface ContainerFiles {
  hosts: string
  resolvConf: string
}

export interface FileRequest {
  hostname: string
  endpoints: readonly EndpointRecord[]
  wishes: FileWishes
  /** What "host-gateway" stands for: the host's address on the network `bridge`. */
  hostGateway: string
}

/** For a container with a network of its own, on any networks or none. */
export function containerFiles(resolver: HostResolver, request: FileRequest): ContainerFiles {
  const { hostname, endpoints, wishes, hostGateway } = request
  const { domainname, extraHosts, dns = {} } = wishes
  const addresses = endpoints.map(({ address }) => address)
  const hosts = hostsFile({ hostname, domainname, addresses, extra: extraHosts, hostGateway })
  const isServed = endpoints.some(({ dnsNames }) => dnsNames.length > 0)
  if (isServed) return { hosts, resolvConf: embeddedResolvConf(containerResolver(resolver.settings(), dns)) }
  const settings = containerResolver(resolver.settingsForContainers(), dns)
  const servers = dns.servers?.length ? settings.servers : reachableServers(settings.servers)
  return { hosts, resolvConf: plainResolvConf({ ...settings, servers }) }
}

/** For a container in the host's network: the host's own files, with what it asks for. */
export function hostNetworkFiles(
  resolver: HostResolver,
  wishes: FileWishes,
  hostGateway: string,
): ContainerFiles {
  const { extraHosts = [], dns = {} } = wishes
  const own = readFileSync('/etc/hosts', 'utf8').trimEnd()
  return {
    hosts: `${[own, ...extraHostLines(extraHosts, hostGateway)].join('\n')}\n`,
    resolvConf: plainResolvConf(containerResolver(resolver.settings(), dns)),
  }
}
