/**
 * What the driver makes, in order, and how it is taken back. What is gone from under a step (another machine's removal
 * took the group along) is made again before it.
 */
import { messageOf } from '../../../shared/errors.ts'
import { renderUserData } from '../../cloud-init/render.ts'
import { azureUserDataBytes, packUserData, readUserData } from '../../cloud-init/user-data.ts'
import { fail } from '../../errors.ts'
import type { StepRun } from '../../journal/step.ts'
import type { DriverOptions, MachineRecord } from '../../record.ts'
import { bareKey, ensureSshKey } from '../../ssh/keys.ts'
import type { DriverContext } from '../driver.ts'
import { ensureAddress, publicAddress, removeAddress } from './address.ts'
import { allOf, isGone } from './calls.ts'
import type { Azure } from './clients.ts'
import { consoleTail } from './console.ts'
import { ensureFirewall, removeFirewall } from './firewall.ts'
import { ensureGroup, isGroupThere, removeGroup } from './group.ts'
import { chooseImage, type Image, registerProviders } from './image.ts'
import { ensureNetwork, removeNetwork } from './network.ts'
import { ensureNic, privateAddress, removeNic } from './nic.ts'
import { type AzureMachine, text } from './settings.ts'
import { ensureVm, isVmThere, removeVm } from './vm.ts'

const sshPort = 22
/** How often what was taken from under a step is made again. */
const goneTries = 4

/** What a step works with. */
export interface Work {
  azure: Azure
  machine: AzureMachine
  context: DriverContext
  run: StepRun
}

export interface AzureStep {
  id: string
  describe: (machine: AzureMachine) => string
  probe: (work: Work) => Promise<boolean>
  act: (work: Work) => Promise<void>
  undo?: (work: Work) => Promise<void>
}

export const azureSteps: readonly AzureStep[] = [
  {
    id: 'image',
    describe: ({ location }) => `Choose an image in ${location}`,
    probe: async ({ context }) => imageOf(context.record) !== undefined,
    act: async ({ azure, machine, context, run }) => {
      await registerProviders(azure, run.signal)
      context.record.made.image = await chooseImage(azure, machine, run.signal)
    },
  },
  {
    id: 'group',
    describe: ({ group }) => `Use the resource group ${group}`,
    probe: ({ azure, machine, run }) => isGroupThere(azure, machine, run.signal),
    act: ({ azure, machine, run }) => ensureGroup(azure, machine, run.signal),
    undo: async ({ azure, machine, run }) => {
      const why = await removeGroup(azure, machine, run.signal)
      if (why !== undefined) run.progress(`kept: ${why}`)
    },
  },
  {
    id: 'network',
    describe: ({ hasPublicAddress }) => `Make the network${hasPublicAddress ? ' and a public address' : ''}`,
    // Three things at once, each a call that changes nothing where it is right.
    probe: async () => false,
    act: (work) => steadily(work, () => ensurePlace(work)),
    undo: async ({ azure, machine, run }) => {
      await allOf([
        () => removeAddress(azure, machine, run.signal),
        () => removeFirewall(azure, machine, run.signal),
        async () => {
          const why = await removeNetwork(azure, machine, run.signal)
          if (why !== undefined) run.progress(`kept: ${why}`)
        },
      ])
    },
  },
  {
    id: 'nic',
    describe: ({ names }) => `Make the network interface ${names.nic}`,
    probe: async () => false,
    act: (work) => steadily(work, () => ensureNic(work.azure, work.machine, work.run.signal)),
    undo: ({ azure, machine, run }) => removeNic(azure, machine, run.signal),
  },
  {
    id: 'vm',
    describe: ({ names, options }) => `Make the VM ${names.vm} (${options.size})`,
    probe: async ({ azure, machine, context, run }) =>
      context.record.ssh !== undefined && (await isVmThere(azure, machine, run.signal)),
    act: async (work) => {
      await steadily(work, () => makeVm(work))
      await noteAddress(work)
    },
    undo: ({ azure, machine, run }) => removeVm(azure, machine, run.signal),
  },
  {
    id: 'reach',
    describe: ({ record }) => `Wait for SSH on ${record.ssh?.host ?? 'it'}`,
    // Asked of the host and not of the cloud; cheap when it answers.
    probe: async () => false,
    act: async ({ azure, machine, context }) => {
      try {
        await context.ssh()
      } catch (error) {
        const why = messageOf(error)
        throw fail('E_AZURE_UNREACHED', { why, console: await consoleTail(azure, machine) }, error)
      }
    },
  },
]

/** What the interface needs, all at once. */
async function ensurePlace({ azure, machine, run }: Work): Promise<void> {
  await allOf([
    () => ensureNetwork(azure, machine, run.signal),
    () => ensureAddress(azure, machine, run.signal),
    () => ensureFirewall(azure, machine, run.signal),
  ])
}

async function prepare(work: Work): Promise<void> {
  await ensureGroup(work.azure, work.machine, work.run.signal)
  await ensurePlace(work)
  await ensureNic(work.azure, work.machine, work.run.signal)
}

/** Does the work; where something of what it stands on is gone, makes that again and repeats. */
async function steadily(work: Work, act: () => Promise<void>): Promise<void> {
  for (let i = 1; ; i++) {
    try {
      if (i > 1) await prepare(work)
      return await act()
    } catch (error) {
      if (!isGone(error) || i === goneTries) throw error
      work.run.progress(`again, since something is gone: ${messageOf(error)}`)
    }
  }
}

async function makeVm(work: Work): Promise<void> {
  const { azure, machine, context, run } = work
  const { record, paths } = context
  const userKey = await ensureSshKey(paths.userKey, `tsmachine ${record.name}`)
  const hostKey = await ensureSshKey(paths.hostKey, record.name)
  const plain = renderUserData({
    hostname: record.name,
    user: String(record.options['ssh-user'] ?? 'docker-user'),
    userPublicKey: userKey.public,
    hostKey,
    userData: await customData(record.options),
  })
  const userData = packUserData(plain, azureUserDataBytes)
  const image = imageOf(record)
  if (!image) throw fail('E_MACHINE_INCOMPLETE', { name: record.name })
  const input = { image, userPublicKey: userKey.public, userData }
  const { signal, progress } = run
  const attempt = await ensureVm(azure, machine, input, { signal, progress, prepare: () => prepare(work) })
  if (attempt) record.made.attempt = attempt
}

/** Writes down where the machine is: asked anew at each start. */
export async function noteAddress({ azure, machine, context, run }: Work): Promise<void> {
  const { record, paths } = context
  const { options, hasPublicAddress } = machine
  const isPrivate = !hasPublicAddress || options['use-private-ip'] === true
  const ask = isPrivate ? privateAddress : publicAddress
  const host = await ask(azure, machine, run.signal)
  if (host === undefined) {
    const why = 'it has no address, though it was made'
    throw fail('E_AZURE', { what: `say where ${record.name} is`, code: 'NoAddress', message: why })
  }
  const { public: hostKey } = await ensureSshKey(paths.hostKey, record.name)
  record.ssh = {
    host,
    port: sshPort,
    user: String(options['ssh-user'] ?? 'docker-user'),
    keyPath: paths.userKey,
    hostKeys: [bareKey(hostKey)],
  }
  record.engine = { host, port: Number(options['docker-port'] ?? 2376) }
}

function imageOf({ made }: MachineRecord): Image | undefined {
  return made.image as Image | undefined
}

/** @throws E_USER_DATA where the file can't be read, or is nothing that cloud-init takes */
export async function customData(options: DriverOptions): Promise<string | undefined> {
  const path = text(options, 'custom-data')
  return path === undefined ? undefined : readUserData(path)
}
