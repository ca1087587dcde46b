/**
 * Who has which address: one file a storage, changed under the storage's lock. It outlives reboots, so that a
 * machine keeps its address.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readIfThere, writeFileAtomic } from '../../../shared/files.ts'
import { fail } from '../../errors.ts'
import { withLock } from '../../store/lock.ts'
import { localNames } from './names.ts'
import { ensureBridge } from './network.ts'
import {
  chooseAddress,
  chooseSubnet,
  formatSubnet,
  gatewayOf,
  type Lease,
  parseSubnet,
  type Subnet,
} from './subnet.ts'
import { runTool } from './tool.ts'

interface LeaseFile {
  subnet: string
  /** Addresses by machine id. */
  addresses: Record<string, string>
}

/**
 * The machine's lease; given out where it has none yet.
 * @param withStorage runs under the storage's lock
 * @param wanted --local-subnet
 * @throws E_NO_SUBNET, or E_OPTION where it differs from that of the storage's other machines
 */
export async function takeLease(
  storage: string,
  id: string,
  withStorage: <T>(work: () => Promise<T>) => Promise<T>,
  wanted: string | undefined,
): Promise<Lease> {
  return withStorage(async () => {
    const there = await readLeases(storage)
    if (there && wanted !== undefined && wanted !== there.subnet) {
      throw fail('E_OPTION', {
        option: '--local-subnet',
        why: `this storage's machines have ${there.subnet} already`,
      })
    }
    const subnet = there ? parseSubnet(there.subnet)! : await reserveSubnet(storage, wanted)
    const addresses = there?.addresses ?? {}
    const address = addresses[id] ?? chooseAddress(subnet, Object.values(addresses))
    await writeLeases(storage, { subnet: formatSubnet(subnet), addresses: { ...addresses, [id]: address } })
    return { subnet: formatSubnet(subnet), gateway: gatewayOf(subnet), address }
  })
}

/**
 * Gives the machine's lease back.
 * @returns whether it was the storage's last one; its bridge then has no use
 */
export async function dropLease(storage: string, id: string): Promise<boolean> {
  const there = await readLeases(storage)
  if (!there) return true
  const { [id]: _, ...addresses } = there.addresses
  if (Object.keys(addresses).length === 0) {
    await rm(leaseFile(storage), { force: true })
    return true
  }
  await writeLeases(storage, { ...there, addresses })
  return false
}

/**
 * A free subnet, held by a bridge from the moment it is chosen: two storages that choose at once wait for each
 * other, and the later one sees the earlier one's route.
 */
async function reserveSubnet(storage: string, wanted: string | undefined): Promise<Subnet> {
  await mkdir('/run/tsmachine', { recursive: true, mode: 0o755 })
  return withLock(
    '/run/tsmachine/subnets',
    { what: 'the subnets of this machine', timeoutMs: 20_000 },
    async () => {
      const { bridge } = localNames(storage, '')
      const subnet = chooseSubnet(await usedSubnets(bridge), wanted, Number.parseInt(bridge.slice(3), 16))
      await ensureBridge(bridge, gatewayOf(subnet), subnet.bits)
      return subnet
    },
  )
}

/** Every network that a route or an address of this machine covers, the default route and `except` aside. */
async function usedSubnets(except: string): Promise<Subnet[]> {
  const routes = JSON.parse(await runTool(['ip', '-json', '-4', 'route', 'show', 'table', 'all'])) as {
    dst: string
    dev?: string
  }[]
  return routes
    .filter(({ dst, dev }) => dst !== 'default' && dev !== except)
    .map(({ dst }) => parseSubnet(dst.replace(/^\D+ /, '')))
    .filter((subnet) => subnet !== undefined)
}

async function readLeases(storage: string): Promise<LeaseFile | undefined> {
  const text = await readIfThere(leaseFile(storage))
  return text === undefined ? undefined : (JSON.parse(text) as LeaseFile)
}

async function writeLeases(storage: string, leases: LeaseFile): Promise<void> {
  await writeFileAtomic(leaseFile(storage), `${JSON.stringify(leases, undefined, 2)}\n`)
}

function leaseFile(storage: string): string {
  return join(storage, 'local-addresses.json')
}
