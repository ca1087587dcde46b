/** What the owner's group lets in. Pure. */
import type { IpPermission } from '@aws-sdk/client-ec2'
import type { OpenPort } from './settings.ts'

const enginePort = 2376

/**
 * SSH and the engine from the allowed networks; everything between the machines themselves, as the swarm (2377),
 * its overlay (4789/udp) and published ports need it; ports that the user opens to all.
 */
export function wantedRules({
  group,
  allowFrom,
  sshPort,
  openPorts,
}: {
  group: string
  allowFrom: readonly string[]
  sshPort: number
  openPorts: readonly OpenPort[]
}): IpPermission[] {
  const opened = openPorts.flatMap(({ port, protocol }) =>
    ['0.0.0.0/0', '::/0'].map((network) => fromNetwork(network, port, protocol)),
  )
  return [
    ...allowFrom.flatMap((network) => [fromNetwork(network, sshPort), fromNetwork(network, enginePort)]),
    { IpProtocol: '-1', UserIdGroupPairs: [{ GroupId: group }] },
    ...opened,
  ]
}

function fromNetwork(network: string, port: number, protocol = 'tcp'): IpPermission {
  const ports = { IpProtocol: protocol, FromPort: port, ToPort: port }
  return network.includes(':')
    ? { ...ports, Ipv6Ranges: [{ CidrIpv6: network }] }
    : { ...ports, IpRanges: [{ CidrIp: network }] }
}

/** Those of `wanted` that the group doesn't have; EC2 shows rules with the same ports as one. */
export function missingRules(
  there: readonly IpPermission[] | undefined,
  wanted: readonly IpPermission[],
): IpPermission[] {
  const has = new Set((there ?? []).flatMap(keysOf))
  return wanted.filter((rule) => !keysOf(rule).every((key) => has.has(key)))
}

function keysOf({ IpProtocol, FromPort, ToPort, IpRanges, Ipv6Ranges, UserIdGroupPairs }: IpPermission) {
  const sources = [
    ...(IpRanges ?? []).map(({ CidrIp }) => CidrIp),
    ...(Ipv6Ranges ?? []).map(({ CidrIpv6 }) => CidrIpv6),
    ...(UserIdGroupPairs ?? []).map(({ GroupId }) => GroupId),
  ]
  return sources.map((source) => `${IpProtocol} ${FromPort} ${ToPort} ${source}`)
}
