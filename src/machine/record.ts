/**
 * What is kept of one machine. A record carries its format's version; store/migrations.ts brings old ones up.
 */
import type { JournalEntry } from './journal/step.ts'

/** The options that a driver declares, by flag name; never a secret. */
export type DriverOptions = Record<string, string | number | boolean | string[]>

export interface SshAddress {
  host: string
  port: number
  user: string
  /** File of the private key; where it is left out, the agent's keys are tried. */
  keyPath?: string
  /** The host's public keys as known_hosts has them ("ssh-ed25519 AAAA..."); one of them must be shown. */
  hostKeys: string[]
}

export interface SwarmPlan {
  role: 'manager' | 'worker'
  /** The machine whose swarm this one joins; left out by the manager that makes the swarm. */
  join?: string
}

export interface MachineRecord {
  version: typeof recordVersion
  /** Twelve hex digits; names and tags of everything made for this machine derive from it. */
  id: string
  name: string
  driver: string
  /** When its creation began, ISO 8601. */
  created: string
  /** USER@HOST of whoever began it; in the tags of what it has in a cloud. */
  owner?: string
  /** When `gc` may remove it, ISO 8601; never where it is left out. */
  expires?: string
  options: DriverOptions
  swarm?: SwarmPlan
  /** Whether a docker context is to be written for it. */
  dockerContext: boolean
  /** How far its creation came. `ready` means that every step is done. */
  phase: 'creating' | 'ready' | 'removing'
  journal: JournalEntry[]
  /** What the steps found out: known only once the step that says so is done. */
  ssh?: SshAddress
  /** Where the engine is reached. `listenPort` is its port on the host, where the one outside is forwarded to it. */
  engine?: { host: string; port: number; listenPort?: number }
  /** What only the driver understands: ids and names of what it made. */
  made: Record<string, unknown>
}

export const recordVersion = 1
