/**
 * A local machine's network: a namespace of its own, a veth pair to the storage's bridge, and NAT to the
 * outside by an nftables table of our own. What is missing is worked out from what is there, so that doing it
 * twice, or after a kill, or after a reboot, is the same thing.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { errnoOf } from '../../../shared/errors.ts'
import type { LocalNames } from './names.ts'
import { type Lease, parseSubnet } from './subnet.ts'
import { type RunTool, runTool } from './tool.ts'

/** What is there of a machine's network. */
export interface NetworkState {
  bridge: boolean
  /** The bridge has the gateway's address and is up. */
  bridgeReady: boolean
  netns: boolean
  veth: boolean
  /** eth0 in the namespace has the machine's address, is up, and the default route leads to the gateway. */
  hostReady: boolean
  table: boolean
}

/** A command to run, with what it reads. */
export interface NetworkCommand {
  argv: string[]
  stdin?: string
}

/** The commands that bring the network from `state` to complete; none where it is. */
export function planNetwork(state: NetworkState, names: LocalNames, lease: Lease): NetworkCommand[] {
  const { bridge, veth, netns } = names
  const { bits } = parseSubnet(lease.subnet)!
  const ip = (...args: string[]): NetworkCommand => ({ argv: ['ip', ...args] })
  const commands: NetworkCommand[] = []
  if (!state.bridge) commands.push(ip('link', 'add', bridge, 'type', 'bridge'))
  if (!state.bridgeReady) {
    commands.push(
      ip('address', 'replace', `${lease.gateway}/${bits}`, 'dev', bridge),
      ip('link', 'set', bridge, 'up'),
    )
  }
  if (!state.netns) commands.push(ip('netns', 'add', netns))
  if (!state.veth || !state.netns) {
    // A veth without its namespace, or whose other end is not in it, is no use.
    if (state.veth) commands.push(ip('link', 'delete', veth))
    commands.push(ip('link', 'add', veth, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns))
    commands.push(ip('link', 'set', veth, 'master', bridge, 'up'))
  }
  if (!state.hostReady || !state.veth || !state.netns) {
    const inside = (...args: string[]) => ip('-netns', netns, ...args)
    commands.push(
      inside('link', 'set', 'lo', 'up'),
      inside('address', 'replace', `${lease.address}/${bits}`, 'dev', 'eth0'),
      inside('link', 'set', 'eth0', 'up'),
      inside('route', 'replace', 'default', 'via', lease.gateway),
    )
  }
  if (!state.table) commands.push({ argv: ['nft', '-f', '-'], stdin: natTable(names, lease) })
  return commands
}

/** Hosts of the storage reach the outside under this machine's address. */
function natTable({ table, bridge }: LocalNames, { subnet }: Lease): string {
  // The first two lines make it the same whether or not the table is there.
  return `table ip ${table}
flush table ip ${table}
table ip ${table} {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != "${bridge}" masquerade
  }
}
`
}

/** Makes the storage's bridge, with its address, where it is missing. Its route holds the subnet from then on. */
export async function ensureBridge(bridge: string, gateway: string, bits: number, run: RunTool = runTool) {
  const links = await linksOf(run)
  if (!links.some(({ ifname }) => ifname === bridge))
    await run(['ip', 'link', 'add', bridge, 'type', 'bridge'])
  await run(['ip', 'address', 'replace', `${gateway}/${bits}`, 'dev', bridge])
  await run(['ip', 'link', 'set', bridge, 'up'])
}

/** Makes what is missing. The caller holds the storage's lock, since the bridge and the table are shared. */
export async function ensureNetwork(names: LocalNames, lease: Lease, run: RunTool = runTool): Promise<void> {
  await allowForwarding()
  for (const { argv, stdin } of planNetwork(await readNetwork(names, lease, run), names, lease)) {
    await run(argv, { stdin })
  }
}

/** Takes the machine's own part away; nothing there is fine. The namespace takes both ends of the veth along. */
export async function removeMachineNetwork(names: LocalNames, run: RunTool = runTool): Promise<void> {
  const links = await linksOf(run)
  if (links.some(({ ifname }) => ifname === names.veth)) await run(['ip', 'link', 'delete', names.veth])
  if ((await netnsOf(run)).includes(names.netns)) await run(['ip', 'netns', 'delete', names.netns])
}

/** Takes away what the machines of a storage share, after the last one. */
export async function removeSharedNetwork(names: LocalNames, run: RunTool = runTool): Promise<void> {
  const links = await linksOf(run)
  if (links.some(({ ifname }) => ifname === names.bridge)) await run(['ip', 'link', 'delete', names.bridge])
  if ((await tablesOf(run)).includes(names.table)) await run(['nft', 'delete', 'table', 'ip', names.table])
}

/** What is there, read from the kernel. */
export async function readNetwork(
  names: LocalNames,
  lease: Lease,
  run: RunTool = runTool,
): Promise<NetworkState> {
  const links = await linksOf(run)
  const bridge = links.find(({ ifname }) => ifname === names.bridge)
  const netns = (await netnsOf(run)).includes(names.netns)
  const inside = netns ? await linksOf(run, names.netns) : []
  const eth0 = inside.find(({ ifname }) => ifname === 'eth0')
  return {
    bridge: bridge !== undefined,
    bridgeReady: bridge !== undefined && isUp(bridge) && hasAddress(bridge, lease.gateway),
    netns,
    veth:
      links.some(({ ifname, master }) => ifname === names.veth && master === names.bridge) &&
      eth0 !== undefined,
    hostReady: eth0 !== undefined && isUp(eth0) && hasAddress(eth0, lease.address),
    table: (await tablesOf(run)).includes(names.table),
  }
}

interface Link {
  ifname: string
  flags: string[]
  master?: string
  addr_info: { local?: string }[]
}

async function linksOf(run: RunTool, netns?: string): Promise<Link[]> {
  const inside = netns ? ['-netns', netns] : []
  const text = await run(['ip', ...inside, '-json', 'address', 'show'])
  return (JSON.parse(text || '[]') as Partial<Link>[]).filter(
    (link): link is Link => link.ifname !== undefined,
  )
}

async function netnsOf(run: RunTool): Promise<string[]> {
  const text = await run(['ip', '-json', 'netns', 'list'])
  return (JSON.parse(text || '[]') as { name: string }[]).map(({ name }) => name)
}

async function tablesOf(run: RunTool): Promise<string[]> {
  const { nftables } = JSON.parse(await run(['nft', '-j', 'list', 'tables'])) as {
    nftables: { table?: { family: string; name: string } }[]
  }
  return nftables.flatMap(({ table }) => (table?.family === 'ip' ? [table.name] : []))
}

function isUp(link: Link): boolean {
  return link.flags.includes('UP')
}

function hasAddress(link: Link, address: string): boolean {
  return link.addr_info.some(({ local }) => local === address)
}

/**
 * NAT needs this machine to forward. It stays on when the last machine goes: somebody else may have come to
 * rely on it in the meantime.
 */
async function allowForwarding(): Promise<void> {
  const path = '/proc/sys/net/ipv4/ip_forward'
  if ((await readFile(path, 'utf8')).trim() === '1') return
  try {
    await writeFile(path, '1')
  } catch (error) {
    // A read-only /proc (this machine is a container itself): hosts reach one another, if not the outside.
    if (errnoOf(error) !== 'EROFS') throw error
  }
}
