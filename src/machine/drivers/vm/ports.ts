/**
 * Which ports of this machine lead to which virtual machine: one file a storage, changed under the storage's lock.
 * A port stays a machine's while it is off, as far as we can see to it; another program may take it meanwhile.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readIfThere, writeFileAtomic } from '../../../shared/files.ts'
import type { DriverContext } from '../driver.ts'

/** Ports by what they lead to: "ssh", "engine". */
export type PortLease = Record<string, number>
type Leases = Record<string, PortLease>

export type PortContext = Pick<DriverContext, 'record' | 'storage' | 'withStorage'>

/**
 * A port of 127.0.0.1 for each name: the one it has had, where that is still free, or a new one.
 * @param isFree tells whether anybody listens there; for tests
 */
export async function takePorts(
  { record, storage, withStorage }: PortContext,
  names: readonly string[],
  isFree: (port: number) => Promise<boolean> = isPortFree,
): Promise<PortLease> {
  return withStorage(async () => {
    const { [record.id]: own = {}, ...others } = await readLeases(storage)
    const taken = new Set(Object.values(others).flatMap((lease) => Object.values(lease)))
    const lease: PortLease = {}
    for (const name of names) {
      const before = own[name]
      const port =
        before !== undefined && !taken.has(before) && (await isFree(before)) ? before : await freePort(taken)
      taken.add(port)
      lease[name] = port
    }
    await writeLeases(storage, { ...others, [record.id]: lease })
    return lease
  })
}

/**
 * The ports that the machine was last given. A machine that runs has these: they are on the disk before it starts,
 * the record after it did.
 */
export async function leasedPorts({ record, storage }: PortContext): Promise<PortLease> {
  return (await readLeases(storage))[record.id] ?? {}
}

/** Gives the machine's ports back; none is fine. */
export async function dropPorts({ record, storage, withStorage }: PortContext): Promise<void> {
  await withStorage(async () => {
    const { [record.id]: own, ...others } = await readLeases(storage)
    if (own) await writeLeases(storage, others)
  })
}

/** One that the system gives out, and that no machine of the storage has. */
async function freePort(taken: ReadonlySet<number>): Promise<number> {
  // Held until one is found: the system would give out the same one again.
  const held: ReturnType<typeof createServer>[] = []
  try {
    for (;;) {
      const server = createServer()
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ host: '127.0.0.1', port: 0 }, resolve)
      })
      held.push(server)
      const { port } = server.address() as { port: number }
      if (!taken.has(port)) return port
    }
  } finally {
    await Promise.all(held.map((server) => new Promise((done) => server.close(done))))
  }
}

/** Whether 127.0.0.1 has nobody on this port. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)))
  })
}

async function readLeases(storage: string): Promise<Leases> {
  const text = await readIfThere(leaseFile(storage))
  return text === undefined ? {} : (JSON.parse(text) as Leases)
}

async function writeLeases(storage: string, leases: Leases): Promise<void> {
  await writeFileAtomic(leaseFile(storage), `${JSON.stringify(leases, undefined, 2)}\n`)
}

function leaseFile(storage: string): string {
  return join(storage, 'vm-ports.json')
}
