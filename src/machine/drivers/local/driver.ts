/**
 * The local driver: a host made of this machine's own namespaces, with a real SSH server in it.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fail } from '../../errors.ts'
import type { DriverOptions } from '../../record.ts'
import { ensureSshKey } from '../../ssh/keys.ts'
import type { Driver, DriverContext } from '../driver.ts'
import { removeEmptyCgroups } from './cgroup.ts'
import { hostDeath, isRunning, killHost, type LocalHost, startHost, stopHost } from './host.ts'
import { dropLease, takeLease } from './leases.ts'
import { localNames } from './names.ts'
import {
  ensureNetwork,
  planNetwork,
  readNetwork,
  removeMachineNetwork,
  removeSharedNetwork,
} from './network.ts'
import { ensureRootfs, type Rootfs } from './rootfs.ts'
import { runtimeCommand } from './runtime.ts'
import type { Lease } from './subnet.ts'
import { findCommand, runTool } from './tool.ts'

const sshPort = 22
const enginePort = 2376

export const localDriver: Driver = {
  check,
  steps: [
    {
      id: 'local.address',
      describe: () => 'Choose an address',
      probe: async ({ record }) => leaseOf(record.made) !== undefined,
      do: async ({ record, storage, withStorage }) => {
        const wanted = record.options.subnet as string | undefined
        record.made.lease = await takeLease(storage, record.id, withStorage, wanted)
      },
      undo: async ({ record, storage, withStorage }) => {
        await withStorage(async () => {
          const names = localNames(storage, record.id)
          if (!(await dropLease(storage, record.id))) return
          await removeSharedNetwork(names)
          // Only now: a machine that starts makes its group below it, and would find it gone.
          await removeEmptyCgroups(names.cgroupParent)
          await rm(names.runtimeState, { recursive: true, force: true })
        })
      },
    },
    {
      id: 'local.files',
      describe: ({ record }) => `Lay out the files of ${record.name}`,
      // Cheap and idempotent: done again whenever it is in doubt.
      probe: async () => false,
      do: async (context) => void (await layOut(context)),
      undo: async ({ paths }) => rm(paths.driver, { recursive: true, force: true }),
    },
    {
      id: 'local.network',
      describe: ({ record }) => `Connect it as ${leaseOf(record.made)?.address ?? 'a host of its own'}`,
      probe: async ({ record, storage }) => {
        const names = localNames(storage, record.id)
        const lease = leaseOf(record.made)!
        return planNetwork(await readNetwork(names, lease), names, lease).length === 0
      },
      do: connect,
      undo: async ({ record, storage }) => removeMachineNetwork(localNames(storage, record.id)),
    },
    {
      id: 'local.start',
      describe: () => 'Start the host',
      probe: async ({ record, paths }) =>
        record.ssh !== undefined && (await isRunning({ folder: paths.driver })),
      do: powerOn,
      undo: async (context) => killHost(hostOf(context)),
    },
  ],
  ownsHost: true,
  observe: async ({ paths }) => ((await isRunning({ folder: paths.driver })) ? 'Running' : 'Stopped'),
  power: {
    start: async (context) => {
      await connect(context)
      await powerOn(context)
    },
    stop: async (context) => stopHost(hostOf(context)),
    kill: async (context) => killHost(hostOf(context)),
    restart: async (context) => {
      await stopHost(hostOf(context))
      await connect(context)
      await powerOn(context)
    },
  },
}

const neededCommands = { busybox: 'busybox-static', sshd: 'openssh-server', ip: 'iproute2', nft: 'nftables' }

async function check(options: DriverOptions): Promise<void> {
  if (process.platform !== 'linux') throw fail('E_NOT_LINUX', { platform: process.platform })
  if (process.getuid?.() !== 0) throw fail('E_NOT_ROOT', {})
  const missing = Object.entries(neededCommands).filter(([command]) => !findCommand(command))
  if (missing.length > 0) {
    throw fail('E_PACKAGE_MISSING', {
      commands: missing.map(([command]) => command),
      packages: missing.map(([, name]) => name),
    })
  }
  // Some builds of busybox leave init out; the static one has it.
  if (!/^init$/m.test(await runTool(['busybox', '--list']))) {
    throw fail('E_PACKAGE_MISSING', { commands: ["busybox's init"], packages: ['busybox-static'] })
  }
  runtimeCommand(options.runtime as string | undefined)
}

async function connect({ record, storage, withStorage }: DriverContext): Promise<void> {
  await withStorage(() => ensureNetwork(localNames(storage, record.id), leaseOf(record.made)!))
}

async function powerOn(context: DriverContext): Promise<void> {
  const { record } = context
  const host = hostOf(context)
  if (!(await isRunning(host))) {
    await startHost(host, await layOut(context))
    if (!(await isRunning(host))) throw await hostDeath(host)
  }
  const { address } = leaseOf(record.made)!
  const { public: hostKey } = await ensureSshKey(context.paths.hostKey, record.name)
  record.ssh = {
    host: address,
    port: sshPort,
    user: 'root',
    keyPath: context.paths.userKey,
    hostKeys: [hostKey],
  }
  record.engine = { host: address, port: enginePort }
}

async function layOut({ record, paths }: DriverContext): Promise<Rootfs> {
  return ensureRootfs(join(paths.driver, 'rootfs'), {
    name: record.name,
    id: record.id,
    address: leaseOf(record.made)!.address,
    userPublicKey: (await ensureSshKey(paths.userKey, `tsmachine ${record.name}`)).public,
    hostKey: await ensureSshKey(paths.hostKey, record.name),
  })
}

function hostOf({ record, paths, storage }: DriverContext): LocalHost {
  return {
    name: record.name,
    names: localNames(storage, record.id),
    folder: paths.driver,
    runtime: runtimeCommand(record.options.runtime as string | undefined),
  }
}

function leaseOf(made: Record<string, unknown>): Lease | undefined {
  return made.lease as Lease | undefined
}
