/**
 * What a VM is asked to be: a pure function of the machine, so that each repetition of the call is the same call.
 */
import type { VirtualMachine } from '@azure/arm-compute'
import type { Azure } from './clients.ts'
import type { Image } from './image.ts'
import { nicId } from './nic.ts'
import { type AzureMachine, list, text } from './settings.ts'

/** One of the ways to get capacity, in the order in which they are tried. */
export interface Attempt {
  spot: boolean
  zone?: string
}

/** Spare capacity first, where it was asked for, in every zone; then regular capacity. */
export function attempts({ options }: Pick<AzureMachine, 'options'>): Attempt[] {
  const named = list(options, 'availability-zone')
  const zones = named.length > 0 ? named : [undefined]
  const kinds = options.spot !== true ? [false] : options['spot-only'] === true ? [true] : [true, false]
  return kinds.flatMap((spot) => zones.map((zone) => ({ spot, ...(zone !== undefined && { zone }) })))
}

export interface VmInput {
  image: Image
  attempt: Attempt
  userPublicKey: string
  /** For cloud-init. */
  userData: Uint8Array
}

/** Disk, interface and address carry the delete option: the VM takes them along, whoever deletes it. */
export function vmBody(azure: Azure, machine: AzureMachine, input: VmInput): VirtualMachine {
  const { options, location, tags, names, record } = machine
  const { image, attempt, userPublicKey, userData } = input
  const user = String(options['ssh-user'] ?? 'docker-user')
  const [planPublisher, planProduct, planName] = text(options, 'plan')?.split(':') ?? []
  const set = text(options, 'availability-set')
  return {
    location,
    tags,
    ...(attempt.zone !== undefined && { zones: [attempt.zone] }),
    ...(planName !== undefined && {
      plan: { publisher: planPublisher, product: planProduct, name: planName },
    }),
    hardwareProfile: { vmSize: String(options.size) },
    storageProfile: {
      imageReference: image,
      osDisk: {
        name: names.disk,
        createOption: 'FromImage',
        deleteOption: 'Delete',
        diskSizeGB: Number(options['disk-size'] ?? 30),
        managedDisk: { storageAccountType: String(options['storage-type'] ?? 'StandardSSD_LRS') },
      },
    },
    osProfile: {
      computerName: hostName(record.name),
      adminUsername: user,
      customData: Buffer.from(userData).toString('base64'),
      linuxConfiguration: {
        disablePasswordAuthentication: true,
        ssh: { publicKeys: [{ path: `/home/${user}/.ssh/authorized_keys`, keyData: userPublicKey }] },
      },
    },
    networkProfile: {
      networkInterfaces: [{ id: nicId(azure, machine), primary: true, deleteOption: 'Delete' }],
    },
    // The serial console's text is kept by the service, for whoever wonders why SSH never came.
    diagnosticsProfile: { bootDiagnostics: { enabled: true } },
    ...(set !== undefined && { availabilitySet: { id: setId(azure, machine, set) } }),
    ...(attempt.spot && {
      priority: 'Spot',
      evictionPolicy: String(options['spot-eviction-policy'] ?? 'Deallocate'),
      // -1: as much as a regular VM, so that it is never taken away for its price.
      billingProfile: { maxPrice: Number(options['spot-max-price'] ?? -1) },
    }),
  }
}

/** Azure's own name of the host has no dots; cloud-init sets the machine's whole name later. */
export function hostName(name: string): string {
  return name.replaceAll('.', '-').slice(0, 63).replace(/-+$/, '')
}

function setId({ subscription }: Azure, { group }: AzureMachine, set: string): string {
  if (set.startsWith('/')) return set
  return `/subscriptions/${subscription}/resourceGroups/${group}/providers/Microsoft.Compute/availabilitySets/${set}`
}
