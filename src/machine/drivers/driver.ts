/**
 * What a driver is: the way to get a host with an SSH server from somewhere, and to give it back.
 * All else (the engine, certificates, the swarm) is the same for every driver and none of its business.
 */
import type { Step, StepRun } from '../journal/step.ts'
import type { MachinePaths } from '../paths.ts'
import type { DriverOptions, MachineRecord } from '../record.ts'
import type { SshConnection } from '../ssh/connection.ts'

/** What docker-machine's `ls` and `status` print. */
export type MachineState =
  | 'Running'
  | 'Stopped'
  | 'Paused'
  | 'Saved'
  | 'Starting'
  | 'Stopping'
  | 'Error'
  | 'Timeout'

/** An option of a driver; flag, environment variable, help and reference derive from it. */
export interface DriverOption {
  summary: string
  /** `strings` may be given several times; the environment variable holds them with commas between. */
  type: 'string' | 'integer' | 'boolean' | 'strings'
  /** Environment variable that stands in for the flag. */
  env: string
  default?: string | number | boolean
  required?: boolean
  /** Whole flag names, without dashes, that mean the same: those of docker-machine's driver. */
  aliases?: readonly string[]
}

/** The options by flag name without the driver's prefix: `ip-address` is --generic-ip-address. */
export type OptionTable = Record<string, DriverOption>

/** What a driver works on. */
export interface DriverContext {
  /** Steps write what they find out to it; it is saved with the journal after each step. */
  record: MachineRecord
  paths: MachinePaths
  /** The storage folder, and a lock on what its machines share. */
  storage: string
  withStorage: <T>(work: () => Promise<T>) => Promise<T>
  /** An SSH connection to the host, for those whose power switch is a command there. */
  ssh: (progress?: (text: string) => void) => Promise<SshConnection>
  /** How long to wait for anything of the host to come up. */
  waitMs: number
}

export type PowerAction = 'start' | 'stop' | 'kill' | 'restart'
export type Power = (context: DriverContext, run: StepRun) => Promise<void>

/** Something in a cloud that carries our tags, whether or not a record knows it. */
export interface TaggedResource {
  /** The cloud's own word: instance, volume, security-group ... */
  kind: string
  id: string
  /** Account and region, as far as they are known. */
  where: string
  /** Left out for what an owner's machines share. */
  machineId?: string
  machineName?: string
  /** When it was made, ISO 8601; left out where the cloud doesn't say. */
  created?: string
  tags: Record<string, string>
}

export interface Driver {
  /**
   * Refuses what can't work, before anything is made.
   * @throws a failure with exit code 2 (options) or 3 (this machine can't)
   */
  check: (options: DriverOptions) => Promise<void>
  /**
   * The way to a host: when all are done, `record.ssh` and `record.engine` say where it is. Taking them back
   * in reverse removes it.
   */
  steps: readonly Step<DriverContext>[]
  /** Whether taking the steps back takes the host itself away, with everything on it. */
  ownsHost: boolean
  /** How the host is right now. */
  observe: (context: DriverContext) => Promise<MachineState>
  /**
   * The same for many machines with as few calls as the cloud allows, by the machines' ids; what went wrong for
   * one is there in place of its state.
   */
  observeMany?: (contexts: readonly DriverContext[]) => Promise<Map<string, MachineState | Error>>
  /**
   * All that carries this owner's tags, where these options point to: what `gc` compares with the records.
   * Taking back the steps of a record with the resource's machine id, and nothing else in it, removes it.
   */
  findTagged?: (options: DriverOptions, owner: string) => Promise<TaggedResource[]>
  /** The end of what the host's console showed, for the failure of a host that never lets us in. */
  console?: (context: DriverContext) => Promise<string | undefined>
  /** The switches it has; an action that is missing is one that it can't do. */
  power: Partial<Record<PowerAction, Power>>
}
