/**
 * The VM itself, with its disk. One that came to nothing is taken away before the next attempt, since what it was to
 * be (spot or not, which zone) can't be changed; its interface and address go with it and are made again.
 */
import { formatMs } from '../../../shared/deadline.ts'
import { fail } from '../../errors.ts'
import type { MachineState } from '../driver.ts'
import { azureCode, finish, found, remove } from './calls.ts'
import type { Azure } from './clients.ts'
import { pause } from './pace.ts'
import type { AzureMachine } from './settings.ts'
import { type Attempt, attempts, type VmInput, vmBody } from './vm-body.ts'

type Signal = AbortSignal | undefined

/** No room here now: another zone, or a regular VM, may still be had. */
const capacityCodes = new Set([
  'AllocationFailed',
  'LowPriorityQuotaExceeded',
  'OverconstrainedAllocationRequest',
  'OverconstrainedZonalAllocationRequest',
  'SkuNotAvailable',
  'SpotQuotaExceeded',
  'ZonalAllocationFailed',
])

export interface VmRun {
  signal: Signal
  progress: (text: string) => void
  /** Makes the interface and all it needs, whatever of it there is. */
  prepare: () => Promise<void>
}

/**
 * Makes the VM, or waits for the one that is being made.
 * @returns the attempt that came through; undefined when it was there already
 * @throws E_AZURE_CAPACITY when no attempt did
 */
export async function ensureVm(
  azure: Azure,
  machine: AzureMachine,
  input: Omit<VmInput, 'attempt'>,
  { signal, progress, prepare }: VmRun,
): Promise<Attempt | undefined> {
  const { names, options, location } = machine
  const there = await settledVm(azure, machine, signal)
  if (there?.provisioningState === 'Succeeded') return undefined
  if (there) await removeVm(azure, machine, signal)
  const refused: string[] = []
  let isFirst = there === undefined
  for (const attempt of attempts(machine)) {
    if (!isFirst) await prepare()
    isFirst = false
    try {
      await finish(azure, `make the VM ${names.vm}`, signal, (call) =>
        azure.compute.virtualMachines.createOrUpdate(
          machine.group,
          names.vm,
          vmBody(azure, machine, { ...input, attempt }),
          call,
        ),
      )
      return attempt
    } catch (error) {
      const code = azureCode(error) ?? ''
      // The answer to a repeated call, whose first one went through: what may not be changed is not compared.
      if (code === 'PropertyChangeNotAllowed' && (await isVmThere(azure, machine, signal))) return attempt
      if (!capacityCodes.has(code)) throw error
      refused.push(`${titleOf(attempt)}: ${code}`)
      progress(`no capacity for ${titleOf(attempt)} (${code})`)
      await removeVm(azure, machine, signal)
    }
  }
  throw fail('E_AZURE_CAPACITY', { size: String(options.size), location, refused })
}

export async function isVmThere(azure: Azure, machine: AzureMachine, signal: Signal): Promise<boolean> {
  return (await settledVm(azure, machine, signal))?.provisioningState === 'Succeeded'
}

/** Removes the VM, and its disk should it have been left. Interface and address go along. */
export async function removeVm(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, names } = machine
  await remove(azure, `the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.delete(group, names.vm, options),
  )
  await remove(azure, `the disk ${names.disk}`, signal, (options) =>
    azure.compute.disks.delete(group, names.disk, options),
  )
}

/** How it is right now; undefined when it is not there. */
export async function vmState(
  azure: Azure,
  { group, names }: AzureMachine,
  signal: Signal,
): Promise<MachineState | undefined> {
  const vm = await found(`look at the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.get(group, names.vm, { ...options, expand: 'instanceView' }),
  )
  return vm && stateOf(vm.instanceView?.statuses, vm.provisioningState)
}

/** "PowerState/running" and its like, in docker-machine's words. Stopped and deallocated are both Stopped. */
export function stateOf(
  statuses: readonly { code?: string }[] | undefined,
  provisioningState?: string,
): MachineState {
  const power = statuses?.find(({ code }) => code?.startsWith('PowerState/'))?.code?.split('/')[1]
  const states: Record<string, MachineState> = {
    running: 'Running',
    starting: 'Starting',
    stopping: 'Stopping',
    stopped: 'Stopped',
    deallocating: 'Stopping',
    deallocated: 'Stopped',
  }
  if (power !== undefined && power in states) return states[power]!
  if (provisioningState === 'Deleting') return 'Stopping'
  return provisioningState === 'Creating' || provisioningState === 'Updating' ? 'Starting' : 'Error'
}

/** The VM once nothing is underway with it. */
async function settledVm(azure: Azure, { group, names }: AzureMachine, signal: Signal) {
  const { clock, limits } = azure
  const begun = clock.now()
  for (;;) {
    const vm = await found(`look at the VM ${names.vm}`, signal, (options) =>
      azure.compute.virtualMachines.get(group, names.vm, options),
    )
    if (vm?.provisioningState === undefined || settled.has(vm.provisioningState)) return vm
    if (clock.now() - begun > limits.operationMs) {
      const why = `its state is still ${vm.provisioningState}`
      const limit = formatMs(limits.operationMs)
      throw fail('E_AZURE_BUSY', { what: `wait for the VM ${names.vm}`, why, waited: limit, limit })
    }
    await pause(clock, limits.pollMs, signal)
  }
}

const settled = new Set(['Succeeded', 'Failed', 'Canceled'])

function titleOf({ spot, zone }: Attempt): string {
  return `${spot ? 'a spot VM' : 'a regular VM'}${zone === undefined ? '' : ` in zone ${zone}`}`
}
