/**
 * Devices of containers that are gone. Mostly the kernel takes them away by itself, some 20 ms after the last
 * process of their namespace; but a namespace that others share lives on, and then they are removed here.
 */

import type { HostDoors } from './context.ts'
import { deleteEndpointDevice } from './endpoint-devices.ts'
import { settle } from './undo.ts'

const lingerMs = 1000

export class LingeringDevices {
  readonly #doors: HostDoors
  readonly #cancels = new Map<string, () => void>()

  constructor(doors: HostDoors) {
    this.#doors = doors
  }

  /** The device is to be gone before long. */
  add(device: string): void {
    const remove = () => {
      this.#cancels.delete(device)
      settle(this.#doors.log, [() => deleteEndpointDevice(this.#doors, device)])
    }
    this.#cancels.set(device, this.#doors.clock.after(lingerMs, remove))
  }

  names(): Iterable<string> {
    return this.#cancels.keys()
  }

  /** Leaves what is left to the next daemon's sweep. */
  close(): void {
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
  }
}
