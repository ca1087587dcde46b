/** The compute service: VMs that take their disk, interface and address along, capacity, and power. */
import type { CloudAnswer } from '../fault-gate.ts'
import { refusal } from './answers.ts'
import type { ArmState, Operation, Properties, Resource } from './state.ts'

const vms = 'Microsoft.Compute/virtualMachines'

/** Why this VM can't be made as asked, or undefined. */
export function refuseVmPut(state: ArmState, id: string, wanted: Resource): CloudAnswer | undefined {
  const { properties } = wanted
  const before = state.find(id)
  if (before) {
    const same = (key: string) => JSON.stringify(before.properties[key]) === JSON.stringify(properties[key])
    if (!same('priority') || JSON.stringify(before.more.zones) !== JSON.stringify(wanted.more.zones))
      return refusal(409, 'PropertyChangeNotAllowed', "Changing property 'priority' is not allowed.")
    return undefined
  }
  const nic = nicOf(state, properties)
  if (!nic) return refusal(404, 'NotFound', 'The network interface was not found.')
  if (nic.busy) return refusal(409, 'AnotherOperationInProgress', `Another operation works on ${nic.name}.`)
  const user = nic.properties.virtualMachine?.id as string | undefined
  if (user && user.toLowerCase() !== id.toLowerCase())
    return refusal(400, 'NicInUse', `${nic.name} is in use.`)
  const reserved = state.reservations.get(nic.id.toLowerCase())
  if (reserved !== undefined && reserved > state.now)
    return refusal(400, 'NicReservedForAnotherVm', `${nic.name} is reserved for 180 seconds.`)
  const code = capacityCode(state, wanted)
  if (code && state.behaviour.refusesAtOnce)
    return refusal(409, code, `No room for ${properties.hardwareProfile.vmSize}.`)
  return undefined
}

/** Starts making it: the disk is there from then on, and the interface is taken. */
export function beginVm(state: ArmState, vm: Resource): void {
  const { osDisk } = vm.properties.storageProfile as Properties
  const id = vm.id.replace(/virtualMachines\/[^/]+$/, `disks/${osDisk.name}`)
  if (!state.find(id)) {
    state.put({
      ...vm,
      id,
      name: osDisk.name as string,
      type: 'Microsoft.Compute/disks',
      more: {},
      properties: { provisioningState: 'Succeeded', diskSizeGB: osDisk.diskSizeGB },
      createdMs: state.now,
      busy: undefined,
    })
  }
  const nic = nicOf(state, vm.properties)
  if (nic) nic.properties.virtualMachine = { id: vm.id }
  vm.properties.power = 'starting'
}

/** Ends making it: it runs, or there was no room for it. */
export function finishVm(state: ArmState, vm: Resource): ReturnType<Operation['end']> {
  if (vm.properties.power !== 'starting') return undefined
  const code = capacityCode(state, vm)
  if (!code) {
    vm.properties.power = 'running'
    return undefined
  }
  vm.properties.power = undefined
  vm.properties.provisioningState = 'Failed'
  return { code, message: `There is no room for ${vm.properties.hardwareProfile.vmSize}.` }
}

/** Takes the VM away with all that carries the delete option. */
export function dropVm(state: ArmState, vm: Resource): void {
  const { storageProfile, networkProfile } = vm.properties as Properties
  const nic = nicOf(state, vm.properties)
  if (storageProfile.osDisk.deleteOption === 'Delete') {
    const disk = state.find(vm.id.replace(/virtualMachines\/[^/]+$/, `disks/${storageProfile.osDisk.name}`))
    if (disk) state.drop(disk)
  }
  state.drop(vm)
  if (!nic) return
  nic.properties.virtualMachine = undefined
  if (networkProfile.networkInterfaces[0].properties?.deleteOption !== 'Delete') {
    state.reservations.set(nic.id.toLowerCase(), state.now + state.behaviour.nicReservedMs)
    return
  }
  state.drop(nic)
  for (const { properties } of nic.properties.ipConfigurations as Properties[]) {
    const { id, properties: more } = (properties.publicIPAddress ?? {}) as Properties
    const address = id && state.find(id as string)
    if (address && more?.deleteOption === 'Delete') state.drop(address)
  }
}

const transitions: Record<string, { during: string; after: string }> = {
  start: { during: 'starting', after: 'running' },
  deallocate: { during: 'deallocating', after: 'deallocated' },
  poweroff: { during: 'stopping', after: 'stopped' },
  restart: { during: 'starting', after: 'running' },
}

/** @returns the operation, or undefined for a switch that there is not */
export function switchVm(state: ArmState, vm: Resource, action: string): Operation | undefined {
  const transition = transitions[action.toLowerCase()]
  if (!transition) return undefined
  const operation = state.begin(() => {
    vm.busy = undefined
    vm.properties.provisioningState = 'Succeeded'
    vm.properties.power = transition.after
    return undefined
  })
  if (operation.status === 'InProgress') {
    vm.properties.power = transition.during
    vm.properties.provisioningState = 'Updating'
    vm.busy = operation.id
  }
  return operation
}

/** What stands in the instance view. */
export function vmStatuses({ properties }: Resource): { code: string }[] {
  return [
    { code: `ProvisioningState/${String(properties.provisioningState).toLowerCase()}` },
    ...(properties.power ? [{ code: `PowerState/${properties.power}` }] : []),
  ]
}

export function isVm({ type }: Pick<Resource, 'type'>): boolean {
  return type.toLowerCase() === vms.toLowerCase()
}

function nicOf(state: ArmState, properties: Properties): Resource | undefined {
  const [nic] = (properties.networkProfile?.networkInterfaces ?? []) as { id: string }[]
  return nic && state.find(nic.id)
}

function capacityCode({ behaviour }: ArmState, { properties, more }: Resource): string | undefined {
  const [zone] = (more.zones ?? []) as string[]
  return behaviour.capacity({
    spot: properties.priority === 'Spot',
    zone,
    size: String(properties.hardwareProfile.vmSize),
  })
}
