/**
 * Switching the VM on and off. Off means deallocated: a VM that is only stopped is still paid for.
 */
import { finish } from './calls.ts'
import type { Azure } from './clients.ts'
import type { AzureMachine } from './settings.ts'
import { vmState } from './vm.ts'

type Signal = AbortSignal | undefined

export async function startVm(azure: Azure, { group, names }: AzureMachine, signal: Signal): Promise<void> {
  await finish(azure, `start the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.start(group, names.vm, options),
  )
}

/** Shuts it down in order and gives its capacity back. Address and disk stay. */
export async function stopVm(azure: Azure, { group, names }: AzureMachine, signal: Signal): Promise<void> {
  await finish(azure, `stop the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.deallocate(group, names.vm, options),
  )
}

/** Pulls the plug first, so that nothing on the host can hold it up. */
export async function killVm(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, names } = machine
  await finish(azure, `power off the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.powerOff(group, names.vm, { ...options, skipShutdown: true }),
  )
  await stopVm(azure, machine, signal)
}

/** One that is off is switched on. */
export async function restartVm(azure: Azure, machine: AzureMachine, signal: Signal): Promise<void> {
  const { group, names } = machine
  if ((await vmState(azure, machine, signal)) === 'Stopped') return startVm(azure, machine, signal)
  await finish(azure, `restart the VM ${names.vm}`, signal, (options) =>
    azure.compute.virtualMachines.restart(group, names.vm, options),
  )
}
