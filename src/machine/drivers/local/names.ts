/**
 * Names of everything that local machines have in the kernel. They derive from the storage folder and the
 * machine's id, so that two storages never touch each other and leftovers can be told by their owner.
 */
import { join } from 'node:path'
import { storageId } from '../../paths.ts'

export interface LocalNames {
  /** One for all machines of the storage. At most 15 characters, as the next. */
  bridge: string
  veth: string
  netns: string
  /** nftables table of the storage. */
  table: string
  /** Path below each cgroup hierarchy's root. */
  cgroup: string
  /** All cgroups of the storage lie below it. */
  cgroupParent: string
  /** The OCI container's id. */
  container: string
  /** The OCI runtime's state: gone after a reboot, as the containers are. */
  runtimeState: string
}

export function localNames(storage: string, id: string): LocalNames {
  const sid = storageId(storage)
  return {
    bridge: `tsm${sid}`,
    veth: `tsv${sid.slice(0, 4)}${id.slice(0, 8)}`,
    netns: `tsm-${sid}-${id}`,
    table: `tsmachine_${sid}`,
    cgroup: `/tsmachine-${sid}/${id}`,
    cgroupParent: `/tsmachine-${sid}`,
    container: `tsm-${sid}-${id}`,
    runtimeState: join('/run/tsmachine', sid),
  }
}
